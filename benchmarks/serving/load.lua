-- For wrk: the requests of a file in turn (method, path and body by tabs); figures as JSON.

local requests, turn = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local method, path, body = line:match("^([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = {}
    if body == "" then
      body = nil
    else
      headers["Content-Type"] = "application/json"
    end
    requests[#requests + 1] = wrk.format(method, path, headers, body)
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  local lost = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format(
    '{"per_s": %f, "p50_ms": %f, "p99_ms": %f, "answers": %d, "lost": %d}\n',
    summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000,
    latency:percentile(99) / 1000,
    summary.requests,
    lost
  ))
end

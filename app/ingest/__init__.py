"""From an upload to checked, deduplicated Parquet parts, and back to frames.

    upload -> blocks -> checked rows -> staged rows -> new rows -> part -> frames -> EventLog
              (per format)  (mapping)      (file)     (duplicates)

`stage` and `finish` write, `load_event_log` reads.
"""

"""The manifest knows of the attributes what the log itself would say."""

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session, sessionmaker

from app.db.engine import transaction
from app.domain.datasets import get_dataset, profile_dataset
from app.ingest.column_tally import MOST_VALUES
from app.settings import Settings
from model.tasks import AttributeProfile, LogProfile, profile_of
from tests.app.api.uploads import make_dataset, uploaded
from tests.app.event_logs import load_event_log

EVENTS = (
    "user_id,item_id,time,event_type,rating,channel\n"
    "u1,i1,2024-01-01 10:00,view,4.5,web\n"
    "u2,i2,2024-01-02 10:00,view,,app\n"
)


def profiles(
    session_factory: sessionmaker[Session], settings: Settings
) -> tuple[LogProfile, LogProfile]:
    """By the manifest, and by the log."""
    with transaction(session_factory, write=False) as session:
        dataset = get_dataset(session, "shop")
        told = profile_dataset(session, dataset).log
        log = load_event_log(session, dataset, settings.data_dir)
    assert told is not None
    return told, profile_of(log)


def in_order(profile: LogProfile) -> dict[str, AttributeProfile]:
    """With the values by name, since a manifest does not count them."""
    return {
        name: AttributeProfile(
            known.kind,
            None if known.values is None else tuple(sorted(known.values)),
            known.has_more,
        )
        for name, known in profile.attributes.items()
    }


def test_a_manifest_knows_all_attributes_and_their_values(
    client: TestClient, session_factory: sessionmaker[Session], settings: Settings
) -> None:
    declared = {"age": {"type": "number"}, "group": {"type": "category"}}
    make_dataset(client, users={"attributes": declared})
    uploaded(client, EVENTS)
    uploaded(client, "item_id,category,weight,item\ni1,shoes,3,a\ni2,,4.5,b\n", table="items")
    uploaded(client, "item_id,category,weight\ni3,hats,\n", table="items")
    uploaded(client, "user_id,age,group\nu1,30,7\nu2,40,8\n", table="users")
    told, found = profiles(session_factory, settings)
    assert in_order(told) == in_order(found)
    assert told.attributes["item.category"].values == ("hats", "shoes")
    assert told.attributes["user.group"].values == ("7", "8")


def test_what_becomes_a_category_later_may_have_other_values(
    client: TestClient, session_factory: sessionmaker[Session], settings: Settings
) -> None:
    make_dataset(client)
    uploaded(client, EVENTS)
    uploaded(client, "item_id,size\ni1,42\n", table="items")
    uploaded(client, "item_id,size\ni2,XL\n", table="items")
    told, found = profiles(session_factory, settings)
    assert found.attributes["item.size"].kind == "category"
    assert told.attributes["item.size"] == AttributeProfile("category", ("XL",), has_more=True)


def test_a_manifest_remembers_only_so_many_values(
    client: TestClient, session_factory: sessionmaker[Session], settings: Settings
) -> None:
    make_dataset(client)
    uploaded(client, EVENTS)
    rows = "".join(f"i{n},name {n}\n" for n in range(MOST_VALUES + 50))
    uploaded(client, f"item_id,name\n{rows}", table="items")
    told, _ = profiles(session_factory, settings)
    known = told.attributes["item.name"]
    assert known.values is not None
    assert len(known.values) == MOST_VALUES
    assert known.has_more

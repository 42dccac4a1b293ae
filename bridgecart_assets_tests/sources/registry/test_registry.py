"""The schema registry: what it has, what it does not have, and every way not to answer, told apart."""

import json
import ssl
from collections.abc import Mapping
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import SchemaReference

from bridgecart_assets.base.errors import BridgeCartError
from bridgecart_assets.base.settings import load_settings
from bridgecart_assets.sources.mapping.decoding.schemas import LARGEST_SCHEMA
from bridgecart_assets.sources.registry import (
    FetchedSchema,
    NoRegistry,
    Registry,
    RegistryFailure,
    fetch_schemas,
    registry_from_settings,
)
from bridgecart_assets_tests.sources.kafka.certificates import Authority
from bridgecart_assets_tests.sources.registry.answers import Answers, answering, properties_of
from bridgecart_assets_tests.sources.registry.apicurio import Apicurio

SECRET = "hunter2-top-secret"
LONG = '"long"'


def failure(url: str, properties: Mapping[str, str] | None = None) -> str:
    with pytest.raises(RegistryFailure) as raised:
        fetch_schemas(Registry(url, properties or properties_of()), [1])
    message = str(raised.value)
    assert "\n" not in message
    return message


def ids(schemas: list[FetchedSchema]) -> list[int]:
    return [schema.schema_id for schema in schemas]


def test_a_registry_has_schemas_of_three_kinds_with_what_they_refer_to(apicurio: Apicurio):
    money = {"type": "record", "name": "Money", "namespace": "shop", "fields": [{"name": "cents", "type": "long"}]}
    order = {
        "type": "record",
        "name": "Order",
        "namespace": "shop",
        "fields": [{"name": "total", "type": "shop.Money"}],
    }
    of_money = apicurio.register("money", json.dumps(money))
    of_order = apicurio.register(
        "orders-value", json.dumps(order), references=[SchemaReference("shop.Money", "money", 1)]
    )
    of_proto = apicurio.register("proto", 'syntax = "proto3"; message A { int64 x = 1; }', "PROTOBUF")
    of_json = apicurio.register(
        "json", '{"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}', "JSON"
    )
    fetched = fetch_schemas(Registry(apicurio.url), [of_order, of_proto, of_json])
    assert [(schema.schema_id, schema.kind, dict(schema.references)) for schema in fetched] == [
        (of_money, "AVRO", {}),
        (of_order, "AVRO", {"shop.Money": of_money}),
        (of_proto, "PROTOBUF", {}),
        (of_json, "JSON", {}),
    ]
    assert json.loads(fetched[1].text) == order


def test_an_id_that_nobody_registered_is_left_out_and_found_once_it_is(apicurio: Apicurio):
    known = apicurio.register("first", '"string"')
    assert ids(fetch_schemas(Registry(apicurio.url), [known, known + 1_000_000])) == [known]
    later = apicurio.register("later", '"bytes"')
    assert ids(fetch_schemas(Registry(apicurio.url), [later])) == [later]


def test_a_page_of_the_registry_that_is_not_its_interface_is_told(apicurio: Apicurio):
    assert failure(apicurio.url.removesuffix("/apis/ccompat/v7")).endswith("correct BRIDGECART_SCHEMA_REGISTRY_URL.")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, b"<html>not here</html>"), "answers, but not as a schema registry does (HTTP 404, "),
        ((404, {"error_code": 404, "message": "no"}), "answers, but not as a schema registry does (HTTP 404, no"),
        ((200, b"<html>welcome</html>"), "answers, but not as a schema registry does; correct"),
        ((200, b""), "answers, but not as a schema registry does; correct"),
        ((200, [1]), "answers, but not as a schema registry does; correct"),
        ((200, {"schema": 5}), "answers, but not as a schema registry does; correct"),
        ((302, b""), "answers, but not as a schema registry does (HTTP 302"),
        ((401, {"error_code": 401, "message": "who?"}), "refuses this user (HTTP 401, who?); correct"),
        ((403, b""), "refuses this user (HTTP 403, "),
        ((500, {"error_code": 50001, "message": "store"}), "cannot answer (HTTP 500, store); run again when it can."),
        ((503, b"x" * 5_000), "cannot answer (HTTP 503, "),
        ((429, b""), "cannot answer (HTTP 429, "),
    ],
)  # fmt: skip
def test_whatever_is_no_schema_and_no_not_found_is_one_line(answer, said):
    with answering(Answers(otherwise=answer)) as server:
        message = failure(server.url)
    assert said in message
    assert len(message) < 500


def test_a_failure_that_passes_is_asked_about_three_times():
    with answering(Answers(otherwise=(503, {"error_code": 1, "message": "later"}))) as server:
        failure(server.url)
        assert len(server.asked) == 3


def test_nobody_there_and_nobody_who_answers_are_told():
    with answering(Answers()) as server:
        server.awake.clear()
        slow = properties_of(timeout="0.1", max_retries="0")
        assert "No answer from the schema registry at http://127.0.0.1" in failure(server.url, slow)
    assert "Connection refused); start it or correct BRIDGECART_SCHEMA_REGISTRY_URL." in failure(server.url)


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"colour": "blue"}, "Unrecognized properties: colour"),
        ({"timeout": "soon"}, "could not convert string to float: '***'"),
        ({"basic.auth.user.info": SECRET}, "basic.auth.user.info must be in the form of {username}:{password}"),
        ({"ssl.ca.location": "/nowhere.pem"}, "No such file or directory"),
        ({"bearer.auth.credentials.source": "MAGIC"}, "Unrecognized bearer.auth.credentials.source"),
    ],
)
def test_properties_that_the_client_does_not_take_are_one_line(properties, said):
    message = failure("http://127.0.0.1:9", properties)
    assert said in message
    assert message.endswith("correct BRIDGECART_SCHEMA_REGISTRY_*.")
    assert SECRET not in message


def test_a_login_in_the_address_is_used_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch, caplog):
    caplog.set_level("DEBUG")
    with answering(Answers(authorization="Basic c2hvcDpodW50ZXIyLXRvcC1zZWNyZXQ=")) as server:
        server.know(1, LONG)
        for login, is_right in ((f"shop:{SECRET}", True), (f"shop:{SECRET}x", False)):
            address = server.url.replace("//", f"//{login}@")
            monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", address)
            settings = load_settings()
            registry = registry_from_settings(settings)
            assert registry.name == server.url
            assert SECRET not in repr((settings, registry, settings.model_dump_json()))
            if is_right:
                assert ids(fetch_schemas(registry, [1])) == [1]
            else:
                assert SECRET not in failure(registry.name, registry.properties)
    assert SECRET not in caplog.text


def test_logins_by_property_and_by_token_are_passed_on(monkeypatch: pytest.MonkeyPatch):
    logins = {
        "Basic c2hvcDpodW50ZXIyLXRvcC1zZWNyZXQ=": {"BASIC_AUTH_USER_INFO": f"shop:{SECRET}"},
        f"Bearer {SECRET}": {
            "BEARER_AUTH_CREDENTIALS_SOURCE": "STATIC_TOKEN",
            "BEARER_AUTH_TOKEN": SECRET,
            "BEARER_AUTH_LOGICAL_CLUSTER": "lsrc-1",
        },
    }
    for authorization, properties in logins.items():
        with answering(Answers(authorization=authorization)) as server, monkeypatch.context() as patch:
            server.know(1, LONG)
            patch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", server.url)
            for name, value in properties.items():
                patch.setenv(f"BRIDGECART_SCHEMA_REGISTRY_{name}", value)
            assert ids(fetch_schemas(registry_from_settings(load_settings()), [1])) == [1]


def test_tls_is_verified_by_the_authority_that_is_named(tmp_path: Path):
    authority = Authority.invent("the tests")
    server_identity = authority.issue("registry", ["127.0.0.1"])
    files = {"ca": authority.certificate_pem, "cert": server_identity.certificate_pem, "key": server_identity.key_pem()}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    with answering(Answers(), tls) as server:
        server.know(1, LONG)
        trusting = properties_of(ssl_ca_location=str(tmp_path / "ca"))
        assert ids(fetch_schemas(Registry(server.url, trusting), [1])) == [1]
        assert "name the authority that signed its certificate" in failure(server.url)


def test_what_is_known_is_not_asked_for_again():
    with answering(Answers()) as server:
        server.know(2, LONG, references=[{"name": "A", "subject": "a", "version": 1}])
        server.by_path["/subjects/a/versions/1"] = (200, {"id": 1, "subject": "a", "version": 1, "schema": LONG})
        assert ids(fetch_schemas(Registry(server.url), [2], {1}.__contains__)) == [2]
        assert ids(fetch_schemas(Registry(server.url), [2])) == [1, 2]


def test_a_schema_that_is_not_there_as_a_whole_is_left_out():
    with answering(Answers()) as server:
        server.know(1, '"' + "x" * LARGEST_SCHEMA + '"')
        server.know(2, LONG, references=[{"name": "A", "subject": "gone", "version": 1}])
        server.know(3, LONG)
        assert ids(fetch_schemas(Registry(server.url), [1, 2, 3])) == [3]


def test_schemas_that_refer_to_each_other_without_end_are_asked_for_a_bounded_number_of_times():
    with answering(Answers()) as server:
        for number in range(500):
            following = [{"name": "A", "subject": f"s{number + 1}", "version": 1}]
            answer = {"id": number, "subject": f"s{number}", "version": 1, "schema": LONG, "references": following}
            server.by_path[f"/subjects/s{number}/versions/1"] = (200, answer)
        server.know(0, LONG, references=[{"name": "A", "subject": "s1", "version": 1}])
        assert fetch_schemas(Registry(server.url), [0]) == []
        assert len(server.asked) < 150


def test_without_an_address_the_setting_is_named():
    with pytest.raises(NoRegistry, match="set BRIDGECART_SCHEMA_REGISTRY_URL to") as raised:
        registry_from_settings(load_settings())
    assert isinstance(raised.value, BridgeCartError)


def test_an_address_that_is_none_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch):
    for wrong in (f"shop:{SECRET}@host", "http://", "mock://a", "http://a,b"):
        monkeypatch.setenv("BRIDGECART_SCHEMA_REGISTRY_URL", wrong)
        with pytest.raises(BridgeCartError, match=r"^BRIDGECART_SCHEMA_REGISTRY_URL: give an address") as raised:
            load_settings()
        assert SECRET not in str(raised.value)

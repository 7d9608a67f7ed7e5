"""The agent as a process against the real server: what is published arrives, what is bad comes back, both agree."""

import hashlib
import json

import httpx
import pytest

from tests.agent.fixtures import artifacts
from tests.agent.fixtures.agent_process import AgentProcess
from tests.agent.fixtures.box import until
from tests.real_server import running_server

CLASS = """
class: test-door
version: 1
family: test
capabilities: {ram_mb: 512}
planes:
  - {name: app, kind: firmware, backend: process, cost_ms: 2000}
  - {name: model/face, kind: model, backend: directory, cost_ms: 300}
  - {name: config, kind: config, backend: file, cost_ms: 100}
policy: {poll_ms: 200, trial_ms: 4000, hold_ms: 500, probe_every_ms: 100, uplink_ms: 2000}
rules:
  - {id: services-up, probe: service_up, field: up, op: ">=", limit: 1, plane: app, strikes: 2}
  - {id: services-speak, probe: service_speaks, field: ok, op: ">=", limit: 1, plane: app, strikes: 2}
  - {id: input-alive, probe: input, field: age_ms, op: "<=", limit: 400, plane: config, strikes: 2}
"""


class Fleet:
    """An operator with one box."""

    def __init__(self, url, agent):
        self.http = httpx.Client(base_url=url, timeout=20)
        self.agent = agent

    def ask(self, method, path, **more):
        answer = self.http.request(method, path, **more)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def publish(self, built):
        for data in built.files.values():
            self.http.put(f"/v1/blobs/sha256/{hashlib.sha256(data).hexdigest()}", content=data).raise_for_status()
        headers = {"Content-Type": "application/json"}
        self.ask("POST", "/v1/artifacts", content=built.manifest, headers=headers)

    def push(self, built):
        """Publishes an artifact, brings it to the box and returns how that ended."""
        self.publish(built)
        order = self.ask("POST", "/v1/push", json={"artifact": built.digest, "device": "box-1", "reason": "test"})
        return until(lambda: self.ended(order["id"]), timeout_s=30)

    def ended(self, order):
        push = self.ask("GET", f"/v1/push/{order}")
        return push if push["state"] not in {"waiting", "offered", "entered"} else None

    def versions(self):
        planes = self.ask("GET", "/v1/devices/box-1")["planes"]
        found = planes.values() if isinstance(planes, dict) else planes
        return json.dumps(list(found))


@pytest.fixture
def fleet(tmp_path):
    with running_server(tmp_path / "server", "--auto-accept", "--tick-ms", "100") as url:
        claim = httpx.post(f"{url}/v1/claims", json={"uses": 1, "auto_accept": True}).json()["token"]
        agent = AgentProcess(tmp_path, url, claim)
        fleet = Fleet(url, agent)
        try:
            fleet.ask("POST", "/v1/classes", json={"yaml": CLASS})
            agent.start()
            yield fleet
        finally:
            agent.end()
            fleet.http.close()


def test_box_takes_its_first_set_then_a_model_and_gives_a_bad_config_back(fleet):
    until(lambda: fleet.http.get("/v1/devices/box-1").status_code == 200)
    first = fleet.push(artifacts.app())
    model = fleet.push(artifacts.model("1.0.0"))
    good = fleet.push(artifacts.config("1.0.0", source="door"))
    services = fleet.agent.services()
    bad = fleet.push(artifacts.config("1.1.0", source="none"))

    assert [order["state"] for order in (first, model, good)] == ["done"] * 3, (first, model, good)
    assert bad["state"] == "failed", bad
    assert bad["outcome"]["rule"] == "input-alive"
    assert bad["outcome"]["plane"] == "config"
    assert fleet.agent.services() == services
    status = fleet.agent.status()
    assert status["planes"]["config"][0] == artifacts.config("1.0.0", source="door").digest
    assert status["planes"]["config"][0] in fleet.versions()

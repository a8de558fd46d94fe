import pytest
from awscrt.http import HttpHeaders, HttpRequest

from aggregator.s3 import signer
from aggregator.s3.credentials import Keys
from aggregator.s3.signer import Signer


class Clock:
    now = 1_700_000_000.25

    def time(self) -> float:
        return self.now


def test_a_signature_has_the_keys_and_the_second_of_its_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(signer, "time", clock)
    one = Signer("eu-central-1")

    def signed(key_id: str) -> tuple[str, str]:
        request = HttpRequest("GET", "/a", HttpHeaders([("host", "example.com")]))
        one.sign(request, Keys(key_id, "secret", None))
        fields = {name.lower(): value for name, value in request.headers}
        credential, _, signature = fields["authorization"].rpartition("Signature=")
        assert f"Credential={key_id}/20231114/eu-central-1/s3/aws4_request" in credential
        return fields["x-amz-date"], signature

    first = signed("one")
    assert first[0] == "20231114T221320Z"
    assert signed("one") == first
    assert signed("two")[0] == first[0]
    clock.now += 0.5
    assert signed("one") == first
    clock.now += 0.5
    later = signed("one")
    assert later[0] == "20231114T221321Z"
    assert later[1] != first[1]

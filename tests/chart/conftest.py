import pytest
from builders.chart import helm


@pytest.fixture(autouse=True)
def _with_helm():
    if helm() is None:
        pytest.skip("helm is not here: `make .cache/bin/helm` brings it (`make test` does so)")

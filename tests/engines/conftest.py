"""What the tests of engines share: one standalone Spark cluster, one small recipe with its reference run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from spark_runs import Cluster, SmallRuns, require_spark, running_cluster


@pytest.fixture(scope="session")
def spark_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real master and two real workers; an application has them for itself until it ends."""
    require_spark()
    with running_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def cluster(spark_cluster: Cluster) -> Cluster:
    """The cluster with both of its workers alive, whatever an earlier test did to them."""
    spark_cluster.mend()
    return spark_cluster


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallRuns:
    """A recipe of five stages with a slow step, on ten shards, and the digests of its run on the local engine."""
    return SmallRuns(tmp_path_factory.mktemp("small"))

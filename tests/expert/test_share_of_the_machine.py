"""How many threads a function takes: what it is told, else what the system grants."""

from __future__ import annotations

import pytest

from remoe_functions.expert.share import cpu_share, granted_cpus, quotas


@pytest.mark.parametrize(
    ("text", "granted", "threads"),
    [(None, 4.0, 4), ("", 2.5, 2), (None, 0.5, 1), ("1", 8.0, 1), ("0.25", 8.0, 1), ("3.9", 1, 3)],
)
def test_the_environments_word_comes_before_what_is_granted(text, granted, threads):
    assert cpu_share(text, granted) == threads


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "two"])
def test_share_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="REMOE_CPUS"):
        cpu_share(text, 1.0)


def test_this_machine_grants_at_least_something():
    assert granted_cpus() > 0


def groups(tmp_path, membership, files):
    """A tree of control groups, and the account of a process's place in it."""
    for name, text in files.items():
        (tmp_path / "mounted" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mounted" / name).write_text(text)
    account = tmp_path / "cgroup"
    account.write_text(membership)
    return sorted(quotas(tmp_path / "mounted", account))


def test_quota_of_the_own_group_and_of_those_above_count(tmp_path):
    files = {
        "pods/one/cpu.max": "150000 100000\n",
        "pods/cpu.max": "max 100000\n",
        "cpu.max": "400000 100000\n",
    }
    assert groups(tmp_path, "0::/pods/one\n", files) == [1.5, 4.0]


def test_quota_is_found_where_the_mount_is_the_group_itself(tmp_path):
    files = {"cpu.max": "50000 100000\n"}
    assert groups(tmp_path, "0::/on/the/host\n", files) == [0.5]


def test_quota_of_the_older_kind_of_groups(tmp_path):
    files = {
        "cpu,cpuacct/box/cpu.cfs_quota_us": "200000\n",
        "cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "memory/box/cpu.cfs_quota_us": "1\n",
        "memory/box/cpu.cfs_period_us": "1\n",
    }
    membership = "4:memory:/box\n2:cpu,cpuacct:/box\n1:name=systemd:/\n0::/\n"
    assert groups(tmp_path, membership, files) == [2.0]


@pytest.mark.parametrize("text", ["", "max\n", "many 100000\n", "100000 0\n", "a b c\n"])
def test_unreadable_quota_is_none(tmp_path, text):
    assert groups(tmp_path, "0::/\n", {"cpu.max": text}) == []


def test_system_without_groups_has_no_quota(tmp_path):
    assert list(quotas(tmp_path / "none", tmp_path / "none")) == []

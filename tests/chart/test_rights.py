"""The operator may do what it does, where it does it, and nothing besides."""

import pytest
from builders.chart import of_kind, one, rendered

from remoe_operator.children.accounts import RULES
from remoe_operator.cluster.kinds import CHILDREN, EVENT, LISTED, MOE_SERVICE, POD, SECRET
from remoe_operator.controller.watching import _CHILDREN as WATCHED

NAMESPACED = {"watchNamespaces": ["team-a", "team-b"], "crds__install": False}
CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


def allowed(rules, group, resource):
    """The verbs that a role's rules allow on a resource."""
    return {
        verb
        for rule in rules
        if group in rule["apiGroups"] and resource in rule["resources"]
        for verb in rule["verbs"]
    }


def operators_rules(**values):
    return one(rendered(**values), "ClusterRole", "remoe-operator")["rules"]


@pytest.mark.parametrize("kind", CHILDREN, ids=lambda kind: kind.name)
def test_every_kind_of_child_can_be_made_changed_and_pruned(kind):
    verbs = allowed(operators_rules(), kind.group, kind.plural)
    assert {"get", "create", "patch", "delete"} <= verbs


@pytest.mark.parametrize("given", RULES, ids=lambda rule: rule["resources"][0])
def test_it_has_every_right_that_it_gives_to_main_models_and_gateways(given):
    rules = operators_rules()
    for group in given["apiGroups"]:
        for resource in given["resources"]:
            assert set(given["verbs"]) <= allowed(rules, group, resource)


def test_services_are_read_and_told_their_state_but_never_changed_or_deleted():
    rules = operators_rules()
    assert allowed(rules, MOE_SERVICE.group, MOE_SERVICE.plural) == {"get", "list", "watch"}
    assert allowed(rules, MOE_SERVICE.group, "moeservices/status") == {"patch"}


@pytest.mark.parametrize("kind", LISTED, ids=lambda kind: kind.name)
def test_every_kind_that_is_listed_can_be(kind):
    assert "list" in allowed(operators_rules(), kind.group, kind.plural)


@pytest.mark.parametrize("kind", WATCHED, ids=lambda kind: kind.name)
def test_every_kind_that_is_watched_can_be(kind):
    assert {"list", "watch"} <= allowed(operators_rules(), kind.group, kind.plural)


def test_secrets_are_found_by_their_name_alone():
    assert not {"list", "watch"} & allowed(operators_rules(), SECRET.group, SECRET.plural)


def test_pods_are_looked_at_and_marked_but_neither_made_nor_ended():
    rules = operators_rules()
    assert allowed(rules, POD.group, POD.plural) == {"get", "list", "watch", "patch"}
    assert {"list", "create", "patch"} <= allowed(rules, EVENT.group, EVENT.plural)


def test_no_rule_allows_everything_or_more_rights_than_it_has():
    for rule in operators_rules():
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
        assert not {"pods/exec", "nodes", "clusterroles"} & set(rule["resources"])


def test_named_namespaces_get_roles_and_nothing_is_cluster_wide():
    made = rendered(**NAMESPACED)
    assert not CLUSTER_WIDE & {manifest["kind"] for manifest in made}
    for kind in ("Role", "RoleBinding"):
        where = [manifest["metadata"]["namespace"] for manifest in of_kind(made, kind)]
        assert where == NAMESPACED["watchNamespaces"]


def test_named_namespaces_get_what_the_whole_cluster_would():
    for role in of_kind(rendered(**NAMESPACED), "Role"):
        assert role["rules"] == operators_rules()


def test_bindings_name_the_operators_account():
    for values in ({}, NAMESPACED, {"serviceAccount__name": "mine"}):
        made = rendered(**values)
        pod = one(made, "Deployment")["spec"]["template"]["spec"]
        bindings = of_kind(made, "ClusterRoleBinding") + of_kind(made, "RoleBinding")
        assert bindings
        for binding in bindings:
            (subject,) = binding["subjects"]
            assert subject["name"] == pod["serviceAccountName"]


def test_no_roles_are_made_where_somebody_else_makes_them():
    kinds = {manifest["kind"] for manifest in rendered(rbac__create=False)}
    assert not {"ClusterRole", "Role", "ClusterRoleBinding", "RoleBinding"} & kinds


def test_viewers_see_services_and_editors_change_them():
    made = rendered()
    view, edit = (one(made, "ClusterRole", f"remoe-{name}") for name in ("view", "edit"))
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert allowed(view["rules"], "remoe.dev", "moeservices") == {"get", "list", "watch"}
    assert {"create", "delete"} <= allowed(edit["rules"], "remoe.dev", "moeservices")
    assert allowed(edit["rules"], "remoe.dev", "moeservices/status") == set()

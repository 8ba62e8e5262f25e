"""Models where services may find them: on a claim, or on a hub on this machine."""

from __future__ import annotations

import contextlib
import json
import socket

from builders.model_hub import Hub
from e2e.kubectl import Kubectl
from e2e.release import image
from e2e.waiting import until
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel

FILL_SECONDS = 180
USER = 65532
SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")


def filling(kubectl: Kubectl, claim, *, folder, model):
    """The demo model on a claim, at folder/model; put there by a pod, as its owner might."""
    kubectl.apply(_filler(claim, folder, model))

    def ended():
        phase = kubectl.get("pod", "filler")["status"].get("phase")
        return phase if phase in ("Succeeded", "Failed") else None

    phase = until(ended, FILL_SECONDS, "the claim is filled", state=kubectl.describe)
    assert phase == "Succeeded", kubectl("logs", "filler", "--all-containers")
    kubectl.delete("pod", "filler")


def _filler(claim, folder, model):
    rename = f"import os; os.rename('/weights/model', '/weights/{model}')"
    fetch = ["python", "-m", "remoe_functions.fetching", "--uri", "demo://", "--into", "/weights"]
    pod = {
        "initContainers": [_container("fetch", fetch, folder)],
        "containers": [_container("rename", ["python", "-c", rename], folder)],
        "volumes": [{"name": "weights", "persistentVolumeClaim": {"claimName": claim}}],
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "filler"}, "spec": pod}


def _container(name, command, folder):
    return {
        "name": name,
        "image": image("fetch"),
        "command": command,
        "volumeMounts": [{"name": "weights", "mountPath": "/weights", "subPath": folder}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }


@contextlib.contextmanager
def published(folder, kubectl: Kubectl):
    """The address, for the nodes, of a hub on this machine that has what is in the folder."""
    addresses = kubectl.list("nodes")[0]["status"]["addresses"]
    node = next(each["address"] for each in addresses if each["type"] == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as towards:
        towards.connect((node, 9))
        host = towards.getsockname()[0]
    hub = Hub({path.name: path.read_bytes() for path in folder.iterdir()}, host=host)
    try:
        yield hub
    finally:
        hub.stop()


def with_words(folder, count):
    """The folder's model, with a tokenizer of so many words and a template for chats."""
    words = [*SPECIALS, *(f"w{number}" for number in range(len(SPECIALS), count))]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.save(str(folder / "tokenizer.json"))
    template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    said = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": template}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    return folder

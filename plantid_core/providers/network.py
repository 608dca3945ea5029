"""EfficientNet-Lite as an ONNX graph, built from a checkpoint's tensors.

The architecture: Tan and Le, "EfficientNet", ICML 2019, in its Lite variant (no squeeze-and-
excitation, ReLU6); padding is TensorFlow's SAME, from which the weights were converted. Batch
norms are folded into the convolutions before them, which changes nothing but the time it takes.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from plantid_core.errors import ModelUnavailable

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from plantid_core.providers.weights import Tensor

BUILD = 1
"""Goes into the built file's name: a change of the graph forgets what was built before."""

_EPSILON = 1e-3
_OPSET, _IR = 17, 9
# The first block of a stage halves the picture where its output has this many channels.
_STRIDES = {24: 2, 40: 2, 80: 2, 192: 2}


@dataclass(slots=True)
class _Graph:
    tensors: dict[str, Tensor]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: NDArray[np.float32]) -> str:
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(
        self, kind: str, inputs: list[str], output: str, **attributes: str | int | list[int]
    ) -> str:
        from onnx import helper

        made = helper.make_node(kind, inputs, [output], **attributes)  # type: ignore[arg-type]  # attributes only
        self.nodes.append(made)
        return output

    def convolution(
        self, source: str, conv: str, norm: str, *, stride: int = 1, active: bool = True
    ) -> str:
        """Add a convolution with its batch norm folded in, and ReLU6 where ``active``."""
        kernel, bias = self._folded(conv, norm)
        depthwise = kernel.shape[1] == 1
        out = self.node(
            "Conv",
            [source, self.constant(f"{conv}.w", kernel), self.constant(f"{conv}.b", bias)],
            f"{conv}.out",
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
            group=kernel.shape[0] if depthwise else 1,
            auto_pad="SAME_UPPER",
        )
        return self.node("Clip", [out, "zero", "six"], f"{conv}.relu6") if active else out

    def _folded(self, conv: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scale = self.tensors[f"{norm}.weight"] / np.sqrt(
            self.tensors[f"{norm}.running_var"] + _EPSILON
        )
        kernel = self.tensors[f"{conv}.weight"] * scale[:, None, None, None]
        bias = self.tensors[f"{norm}.bias"] - self.tensors[f"{norm}.running_mean"] * scale
        return kernel.astype(np.float32), bias.astype(np.float32)

    def block(self, source: str, prefix: str) -> str:
        """Add one inverted residual block (MobileNetV2)."""
        inner = source
        into = self.tensors[f"{prefix}._depthwise_conv.weight"].shape[0]
        if f"{prefix}._expand_conv.weight" in self.tensors:
            into = self.tensors[f"{prefix}._expand_conv.weight"].shape[1]
            inner = self.convolution(inner, f"{prefix}._expand_conv", f"{prefix}._bn0")
        out = self.tensors[f"{prefix}._project_conv.weight"].shape[0]
        stride = _STRIDES.get(out, 1) if into != out else 1
        inner = self.convolution(
            inner, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride=stride
        )
        inner = self.convolution(inner, f"{prefix}._project_conv", f"{prefix}._bn2", active=False)
        return self.node("Add", [inner, source], f"{prefix}.sum") if into == out else inner


def build(tensors: dict[str, Tensor], resolution: int) -> bytes:
    """Return the graph, serialised: input ``image`` (N, 3, resolution, resolution) float32.

    Outputs: ``logits`` (N, 1000) and ``features`` (N, 1280). Raises `ModelUnavailable` where the
    tensors are not those of an EfficientNet-Lite.
    """
    graph = _Graph(tensors)
    graph.constant("zero", np.asarray(0, np.float32))
    graph.constant("six", np.asarray(6, np.float32))
    try:
        at = graph.convolution("image", "_conv_stem", "_bn0", stride=2)
        for index in range(1 + max(_block_numbers(tensors))):
            at = graph.block(at, f"_blocks.{index}")
        at = graph.convolution(at, "_conv_head", "_bn1")
        pooled = graph.node("GlobalAveragePool", [at], "pooled")
        graph.node("Flatten", [pooled], "features")
        head = graph.constant("fc.w", np.asarray(tensors["_fc.weight"], np.float32))
        bias = graph.constant("fc.b", np.asarray(tensors["_fc.bias"], np.float32))
        graph.node("Gemm", ["features", head, bias], "logits", transB=1)
    except (KeyError, ValueError, IndexError) as error:
        raise ModelUnavailable(
            f"The weights are not those of an EfficientNet-Lite: {error}"
        ) from error
    return _serialise(graph, resolution)


def _block_numbers(tensors: dict[str, Tensor]) -> list[int]:
    return [int(name.split(".")[1]) for name in tensors if name.startswith("_blocks.")]


def _serialise(graph: _Graph, resolution: int) -> bytes:
    import onnx
    from onnx import TensorProto, helper

    image = helper.make_tensor_value_info(
        "image", TensorProto.FLOAT, ["n", 3, resolution, resolution]
    )
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 1000]),
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 1280]),
    ]
    body = helper.make_graph(graph.nodes, "efficientnet-lite", [image], outputs, graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def keep(built: bytes, path: Path) -> None:
    """Write the built graph whole or not at all (several processes may build at once)."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".building-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(built)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise

"""digits: which digit is in this image? A small perceptron behind a Reshape, on scikit-learn's own data."""

import base64

import numpy as np
import onnx
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from export import OPSET, rounded
from version import Version

INK = 1 / 16  # pixels are 0 to 16; a power of two, so that scaling rounds nothing


def with_image_input(perceptron: onnx.ModelProto) -> onnx.ModelProto:
    """Puts a Reshape and the scaling in front: clients send images of 8 × 8 with pixels of 0 to 16."""
    graph = perceptron.graph
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 8, 8])
    shape = helper.make_tensor("flat_shape", TensorProto.INT64, [2], [-1, 64])
    ink = helper.make_tensor("ink", TensorProto.FLOAT, [1], [INK])
    front = [
        helper.make_node("Reshape", ["image", "flat_shape"], ["flat"], name="flatten"),
        helper.make_node("Mul", ["flat", "ink"], ["pixels"], name="scale"),
    ]
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, 10]),
        helper.make_tensor_value_info("digit", TensorProto.INT64, [None]),
    ]
    whole = helper.make_graph(
        [*front, *graph.node], "digits", [image], outputs, initializer=[shape, ink, *graph.initializer]
    )
    model = helper.make_model(whole, opset_imports=perceptron.opset_import, producer_name="sardonyx-training")
    model.ir_version = perceptron.ir_version
    onnx.checker.check_model(model)
    return model


def random_images(rng: np.random.Generator, count: int, known: np.ndarray) -> np.ndarray:
    """Half of them noise, half of them known images with noise; whole numbers as in the data."""
    noise = rng.integers(0, 17, (count, 8, 8))
    drawn = known[rng.integers(len(known), size=count)] + rng.integers(-2, 3, (count, 8, 8))
    is_noise = rng.random(count) < 0.5
    return np.where(is_noise[:, None, None], noise, np.clip(drawn, 0, 16))


def body(images: np.ndarray) -> dict:
    return {"inputs": {"image": np.asarray(images, dtype=int).tolist()}}


def pixels(bodies: list[dict]) -> np.ndarray:
    return np.concatenate([np.array(one["inputs"]["image"], dtype=np.float32) for one in bodies])


def flat(stack: np.ndarray) -> np.ndarray:
    return stack.reshape(-1, 64).astype(np.float64) * INK


def split(outputs: dict[str, list], bodies: list[dict]) -> list[dict]:
    """The outputs of all images, given back to the bodies that sent them."""
    ends = np.cumsum([len(one["inputs"]["image"]) for one in bodies])
    starts = [0, *ends[:-1]]
    return [
        {"outputs": {name: values[start:end] for name, values in outputs.items()}}
        for start, end in zip(starts, ends, strict=True)
    ]


def build() -> list[Version]:
    data = load_digits()
    images, held_images, target, held_target = train_test_split(
        data.images, data.target, test_size=0.25, random_state=9, stratify=data.target
    )
    perceptron = MLPClassifier((48,), alpha=0.01, learning_rate_init=0.005, max_iter=300, random_state=7)
    perceptron.fit(flat(images), target)

    def scored(stack: np.ndarray) -> dict:
        return {
            "scores": perceptron.predict_proba(flat(stack)).tolist(),
            "digit": perceptron.predict(flat(stack)).tolist(),
        }

    def answer(bodies: list[dict]) -> list[dict]:
        return split(scored(pixels(bodies)), bodies)

    graph = to_onnx(
        perceptron,
        initial_types=[("pixels", FloatTensorType([None, 64]))],
        final_types=[("digit", Int64TensorType([None])), ("scores", FloatTensorType([None, 10]))],
        options={"zipmap": False},
        target_opset=OPSET,
        name="digits",
    )
    digits_read = perceptron.predict(flat(images))
    manifest = {
        "name": "digits",
        "version": "1",
        "timestamp": "2026-11-10T11:30:00Z",
        "description": "Which handwritten digit is in this image of 8 × 8 pixels, 0 (white) to 16 (black)? "
        "`scores` are ten probabilities. Perceptron on scikit-learn's digits.",
        "task": "tensor",
        "metrics": rounded(accuracy=accuracy_score(held_target, perceptron.predict(flat(held_images)))),
        "training_samples": len(images),
    }

    stack = held_images[:3].astype(np.float32)
    read = scored(stack)
    flat_form = {"inputs": {"image": {"shape": [3, 8, 8], "data": stack.ravel().astype(int).tolist()}}}
    packed = base64.b64encode(stack.astype("<f4").tobytes()).decode()
    packed_form = {"inputs": {"image": {"shape": [3, 8, 8], "base64": packed}}, "outputs": ["digit"]}
    blank, black = np.zeros((1, 8, 8)), np.full((1, 8, 8), 16)
    golden = [body(held_images[i : i + 1]) for i in range(52)] + [body(blank), body(black), body(held_images[60:64])]
    return [
        Version(
            manifest=manifest,
            graph=with_image_input(graph),
            answer=answer,
            feeds=lambda bodies: {"image": pixels(bodies)},
            decode=lambda outputs, bodies: split({name: v.tolist() for name, v in outputs.items()}, bodies),
            random_bodies=lambda rng, count: [body(one[None]) for one in random_images(rng, count, data.images)],
            golden=golden,
            golden_extra=[(flat_form, {"outputs": read}), (packed_form, {"outputs": {"digit": read["digit"]}})],
            reference={
                "rows": len(images),
                "features": {},
                "output": {"missing": 0, "counts": {str(i): int((digits_read == i).sum()) for i in range(10)}},
            },
        )
    ]

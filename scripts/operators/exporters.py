"""Exports small models with the usual exporters: FOLDER/EXPORTER/NAME.onnx.

    pip install -r training/requirements-foreign.txt catboost
    python scripts/operators/exporters.py FOLDER
    npx tsx scripts/operators/judge-exports.ts FOLDER
"""

import os
import sys
import warnings
from pathlib import Path

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import numpy as np

warnings.filterwarnings("ignore")
FOLDER = Path(sys.argv[1])
rng = np.random.default_rng(12)
X = np.abs(rng.normal(size=(80, 4))).astype(np.float32)
binary = (X[:, 0] + X[:, 1] > X[:, 2] + X[:, 3]).astype(int)
three = np.digitize(X[:, 0], [0.4, 1.0])
number = (X @ [1.0, -2.0, 0.5, 3.0] + 1).astype(np.float32)
texts = np.array([["red", "a"], ["green", "b"], ["blue", "c"], ["red", "b"]] * 20, dtype=object)
failures = []


def save(exporter, name, make):
    try:
        model = make()
    except Exception as error:  # noqa: BLE001: an estimator may have no converter
        failures.append(f"{exporter}/{name}: {type(error).__name__}: {str(error).splitlines()[0][:120]}")
        return
    path = FOLDER / exporter / f"{name}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())


def sklearn_models():
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    from sklearn import (
        calibration, cluster, compose, cross_decomposition, decomposition, discriminant_analysis, ensemble,
        feature_extraction, feature_selection, gaussian_process, impute, isotonic, kernel_approximation, linear_model,
        mixture, multiclass, multioutput, naive_bayes, neighbors, neural_network, pipeline, preprocessing,
        random_projection, svm, tree,
    )
    from sklearn.utils import all_estimators

    names = {
        "one_vs_rest": multiclass.OneVsRestClassifier(linear_model.LogisticRegression()),
        "one_vs_one": multiclass.OneVsOneClassifier(linear_model.LogisticRegression()),
        "calibrated": calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), cv=3),
        "calibrated_isotonic": calibration.CalibratedClassifierCV(tree.DecisionTreeClassifier(max_depth=2), cv=3, method="isotonic"),
        "voting_hard": ensemble.VotingClassifier([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier(max_depth=2))]),
        "voting_soft": ensemble.VotingClassifier([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier(max_depth=2))], voting="soft", flatten_transform=False),
        "stacking": ensemble.StackingClassifier([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier(max_depth=2))], cv=3),
        "voting_regressor": ensemble.VotingRegressor([("a", linear_model.LinearRegression()), ("b", tree.DecisionTreeRegressor(max_depth=2))]),
        "stacking_regressor": ensemble.StackingRegressor([("a", linear_model.LinearRegression()), ("b", tree.DecisionTreeRegressor(max_depth=2))], cv=3),
        "svc_probability": svm.SVC(probability=True),
        "svc_linear": svm.SVC(kernel="linear"),
        "svc_poly": svm.SVC(kernel="poly"),
        "mlp_tanh": neural_network.MLPClassifier(hidden_layer_sizes=(3,), activation="tanh", max_iter=20),
        "mlp_logistic": neural_network.MLPRegressor(hidden_layer_sizes=(3,), activation="logistic", max_iter=20),
        "scaled_forest": pipeline.make_pipeline(preprocessing.StandardScaler(), ensemble.RandomForestClassifier(3, max_depth=3)),
        "polynomial": pipeline.make_pipeline(preprocessing.PolynomialFeatures(2), linear_model.LinearRegression()),
        "imputed": pipeline.make_pipeline(impute.SimpleImputer(), linear_model.LogisticRegression()),
        "imputed_indicator": pipeline.make_pipeline(impute.SimpleImputer(add_indicator=True), linear_model.LogisticRegression()),
        "select_best": pipeline.make_pipeline(feature_selection.SelectKBest(k=2), linear_model.LogisticRegression()),
        "gp_rbf": gaussian_process.GaussianProcessRegressor(gaussian_process.kernels.RBF()),
        "bins_ordinal": preprocessing.KBinsDiscretizer(3, encode="ordinal"),
        "power": preprocessing.PowerTransformer(),
        "chain": multioutput.ClassifierChain(linear_model.LogisticRegression()),
        "multi_output": multioutput.MultiOutputClassifier(linear_model.LogisticRegression()),
        "multi_regression": multioutput.MultiOutputRegressor(linear_model.LinearRegression()),
    }
    for name, cls in all_estimators():
        try:
            names[name] = cls()
        except TypeError:
            continue
    small = {"n_estimators": 3, "max_iter": 30, "max_depth": 3, "n_neighbors": 3}
    for name, estimator in names.items():
        known = estimator.get_params(deep=False)
        if not name.islower():
            estimator.set_params(**{k: v for k, v in small.items() if k in known and not (k == "max_depth" and "Hist" in name)})
        target = number if name.endswith(("egressor", "_regression", "polynomial", "gp_rbf")) or getattr(estimator, "_estimator_type", "") == "regressor" else three
        if name in ("multi_output", "chain") or name.startswith("MultiTask"):
            target = np.stack([binary, (X[:, 1] > 0.5).astype(int)], 1)
        if name == "multi_regression":
            target = np.stack([number, -number], 1)
        for suffix, chosen in (("", target), ("_binary", binary)):
            if suffix and (target is not three):
                continue
            for options in ({"zipmap": False}, {}):
                def make(estimator=estimator, chosen=chosen, options=options):
                    estimator.fit(X, chosen)
                    return to_onnx(estimator, X[:1], options={id(estimator): options} if options else None)

                if options and not hasattr(estimator, "predict_proba"):
                    continue
                save("scikit-learn", f"{name}{suffix}{'' if options else '_default'}", make)
    # Every opset that exporters still write, and then float64, as pandas gives it.
    for opset in range(9, 23):
        for name, estimator in (("logistic", linear_model.LogisticRegression()), ("forest", ensemble.RandomForestClassifier(3, max_depth=3)), ("mlp", neural_network.MLPClassifier((3,), max_iter=20)), ("boosting", ensemble.GradientBoostingClassifier(n_estimators=3)), ("pipeline", names["scaled_forest"]), ("kmeans", cluster.KMeans(3))):
            def make(estimator=estimator, opset=opset):
                estimator.fit(X, binary)
                return to_onnx(estimator, X[:1], target_opset={"": opset, "ai.onnx.ml": 1 if opset < 15 else 3}, options={id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None)

            save("scikit-learn", f"{name}_opset{opset}", make)
    for name, estimator in (("logistic", linear_model.LogisticRegression()), ("forest", ensemble.RandomForestClassifier(3, max_depth=3)), ("linear", linear_model.LinearRegression()), ("scaler", preprocessing.StandardScaler()), ("pca", decomposition.PCA(2))):
        def make(estimator=estimator):
            estimator.fit(X.astype(np.float64), binary)
            return to_onnx(estimator, X[:1].astype(np.float64), options={id(estimator): {"zipmap": False}} if hasattr(estimator, "predict_proba") else None)

        save("scikit-learn", f"{name}_float64", make)
    # Columns of text and numbers.
    import pandas as pd

    frame = pd.DataFrame({"c": texts[:, 0], "d": texts[:, 1], "n": X[:, 0], "m": X[:, 1]})
    types = [("c", StringTensorType([None, 1])), ("d", StringTensorType([None, 1])), ("n", FloatTensorType([None, 1])), ("m", FloatTensorType([None, 1]))]
    for name, encoder in (("onehot", preprocessing.OneHotEncoder(handle_unknown="ignore")), ("ordinal", preprocessing.OrdinalEncoder()), ("onehot_drop", preprocessing.OneHotEncoder(drop="first")), ("imputed_text", pipeline.make_pipeline(impute.SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder(handle_unknown="ignore"))), ("ordinal_unknown", preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)), ("target", preprocessing.TargetEncoder())):
        def make(encoder=encoder):
            columns = compose.ColumnTransformer([("text", encoder, ["c", "d"]), ("number", pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler()), ["n", "m"])])
            whole = pipeline.make_pipeline(columns, ensemble.RandomForestClassifier(3, max_depth=3)).fit(frame, binary)
            return to_onnx(whole, initial_types=types, options={id(whole): {"zipmap": False}})

        save("scikit-learn", f"columns_{name}", make)
    for name, encoder in (("onehot", preprocessing.OneHotEncoder()), ("ordinal", preprocessing.OrdinalEncoder())):
        def make(encoder=encoder):
            return to_onnx(encoder.fit(texts), initial_types=[("X", StringTensorType([None, 2]))])

        save("scikit-learn", f"text_{name}", make)
    for name, encoder in (("onehot_ints", preprocessing.OneHotEncoder()), ("ordinal_ints", preprocessing.OrdinalEncoder()), ("logistic_ints", linear_model.LogisticRegression()), ("scaler_ints", preprocessing.StandardScaler())):
        def make(encoder=encoder):
            ints = rng.integers(0, 4, size=(80, 2)).astype(np.int64)
            return to_onnx(encoder.fit(ints, binary), initial_types=[("X", Int64TensorType([None, 2]))])

        save("scikit-learn", name, make)
    labels = np.array(["no", "yes"])[binary]

    def named():
        return to_onnx(ensemble.RandomForestClassifier(3, max_depth=3).fit(X, labels), X[:1])

    save("scikit-learn", "named_classes", named)
    for name, knn in (("KNeighborsClassifier_cdist", neighbors.KNeighborsClassifier(3)), ("KNeighborsRegressor_cdist", neighbors.KNeighborsRegressor(3))):
        def make(knn=knn):
            knn.fit(X, binary)
            return to_onnx(knn, X[:1], options={id(knn): {"optim": "cdist", **({"zipmap": False} if "Class" in name else {})}})

        save("scikit-learn", name, make)


def boosted_models():
    import lightgbm
    import onnxmltools
    import xgboost
    from catboost import CatBoostClassifier, CatBoostRegressor
    from onnxmltools.convert.common.data_types import FloatTensorType

    types = [("X", FloatTensorType([None, 4]))]
    for name, target in (("binary", binary), ("three", three)):
        save("LightGBM", name, lambda: onnxmltools.convert_lightgbm(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, target), initial_types=types, zipmap=False))
        save("LightGBM", f"{name}_default", lambda: onnxmltools.convert_lightgbm(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(X, target), initial_types=types))
        save("XGBoost", name, lambda: onnxmltools.convert_xgboost(xgboost.XGBClassifier(n_estimators=3).fit(X, target), initial_types=types))
    for objective in ("regression", "poisson", "tweedie", "gamma", "quantile", "mae"):
        save("LightGBM", objective, lambda: onnxmltools.convert_lightgbm(lightgbm.LGBMRegressor(n_estimators=3, verbose=-1, objective=objective).fit(X, np.abs(number) + 0.1), initial_types=types))
    save("LightGBM", "rf", lambda: onnxmltools.convert_lightgbm(lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5).fit(X, binary), initial_types=types, zipmap=False))
    for objective in ("reg:squarederror", "count:poisson", "reg:gamma", "reg:tweedie", "reg:logistic", "reg:squaredlogerror"):
        target = binary if objective == "reg:logistic" else np.abs(number) + 0.1
        save("XGBoost", objective.replace(":", "_"), lambda: onnxmltools.convert_xgboost(xgboost.XGBRegressor(n_estimators=3, objective=objective).fit(X, target), initial_types=types))
    save("XGBoost", "ranker", lambda: onnxmltools.convert_xgboost(xgboost.XGBRanker(n_estimators=3).fit(X, binary, group=[80]), initial_types=types))
    save("XGBoost", "forest", lambda: onnxmltools.convert_xgboost(xgboost.XGBRFClassifier(n_estimators=3).fit(X, binary), initial_types=types))

    def cat(model, target):
        model.fit(X, target)
        path = FOLDER / "catboost.tmp"
        model.save_model(str(path), format="onnx")
        content = path.read_bytes()
        path.unlink()
        return content

    quiet = {"iterations": 3, "verbose": False, "allow_writing_files": False}
    save("CatBoost", "binary", lambda: cat(CatBoostClassifier(**quiet), binary))
    save("CatBoost", "three", lambda: cat(CatBoostClassifier(**quiet), three))
    save("CatBoost", "named", lambda: cat(CatBoostClassifier(**quiet), np.array(["a", "b", "c"])[three]))
    for loss in ("RMSE", "MAE", "Poisson", "Quantile"):
        save("CatBoost", loss, lambda: cat(CatBoostRegressor(**quiet, loss_function=loss), np.abs(number)))


def networks():
    """Networks in the form of PyTorch's exporters: the older one at opsets 11 to 17, the newer one at 18 to 23."""
    from onnx import TensorProto, helper, numpy_helper

    def build(name, nodes, weights, shape, opset, result="y", kind=TensorProto.FLOAT):
        graph = helper.make_graph(
            nodes, name, [helper.make_tensor_value_info("x", kind, shape)],
            [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, key) for key, value in weights.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 19 else 10)
        save("torch", f"{name}_opset{opset}", lambda: model)

    node = helper.make_node
    w = lambda *dims: rng.normal(size=dims).astype(np.float32)  # noqa: E731
    for opset in (11, 13, 14, 17, 18, 20, 22, 23):
        axes = lambda *a: ({"axes": list(a)}, []) if opset < 18 else ({}, ["axes"])  # noqa: E731
        last = np.array([-1], np.int64)
        for activation in ("Relu", "Sigmoid", "Tanh", "LeakyRelu", "Elu", "Selu", "Softplus"):
            build(f"mlp_{activation}", [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node(activation, ["h"], ["a"]), node("Gemm", ["a", "v", "c"], ["z"], transB=1), node("Softmax", ["z"], ["y"], axis=1)], {"w": w(8, 4), "b": w(8), "v": w(3, 8), "c": w(3)}, ["batch", 4], opset)
        build("mlp_dropout", [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node("Dropout", ["h"], ["d"]), node("LogSoftmax", ["d"], ["y"], axis=1)], {"w": w(8, 4), "b": w(8)}, ["batch", 4], opset)
        build("embedding_mean", [node("Gather", ["w", "x"], ["e"]), node("ReduceMean", ["e", *axes(1)[1]], ["m"], keepdims=0, **axes(1)[0]), node("Gemm", ["m", "v", "c"], ["y"], transB=1)], {"w": w(10, 4), "v": w(3, 4), "c": w(3), **({"axes": np.array([1], np.int64)} if opset >= 18 else {})}, ["batch", 6], opset, kind=TensorProto.INT64)
        build("cnn", [node("Conv", ["x", "k", "b"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]), node("BatchNormalization", ["c", "s", "t", "m", "v"], ["n"]), node("Relu", ["n"], ["r"]), node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]), node("GlobalAveragePool", ["p"], ["g"]), node("Flatten", ["g"], ["f"], axis=1), node("Gemm", ["f", "w", "d"], ["y"], transB=1)], {"k": w(4, 1, 3, 3), "b": w(4), "s": w(4), "t": w(4), "m": w(4), "v": np.abs(w(4)), "w": w(3, 4), "d": w(3)}, ["batch", 1, 8, 8], opset)
        build("cnn_mobile", [node("Conv", ["x", "k"], ["c"], kernel_shape=[3, 3], group=4, pads=[1, 1, 1, 1]), node("Clip", ["c", "lo", "hi"], ["r"]), node("AveragePool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]), node("Reshape", ["p", "shape"], ["y"])], {"k": w(4, 1, 3, 3), "lo": np.float32(0), "hi": np.float32(6), "shape": np.array([-1, 64], np.int64)}, ["batch", 4, 8, 8], opset)
        build("gelu_erf", [node("MatMul", ["x", "w"], ["m"]), node("Add", ["b", "m"], ["h"]), node("Div", ["h", "r"], ["d"]), node("Erf", ["d"], ["e"]), node("Add", ["e", "one"], ["a"]), node("Mul", ["h", "a"], ["u"]), node("Mul", ["u", "half"], ["y"])], {"w": w(4, 4), "b": w(4), "r": np.float32(1.4142135), "one": np.float32(1), "half": np.float32(0.5)}, ["batch", 4], opset)
        build("silu", [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node("Sigmoid", ["h"], ["s"]), node("Mul", ["h", "s"], ["y"])], {"w": w(4, 4), "b": w(4)}, ["batch", 4], opset)
        build("layer_norm_parts", [node("ReduceMean", ["x", *axes(-1)[1]], ["m"], **axes(-1)[0]), node("Sub", ["x", "m"], ["d"]), node("Pow", ["d", "two"], ["p"]), node("ReduceMean", ["p", *axes(-1)[1]], ["v"], **axes(-1)[0]), node("Add", ["v", "eps"], ["e"]), node("Sqrt", ["e"], ["s"]), node("Div", ["d", "s"], ["n"]), node("Mul", ["n", "g"], ["h"]), node("Add", ["h", "b"], ["y"])], {"two": np.float32(2), "eps": np.float32(1e-5), "g": w(4), "b": w(4), **({"axes": last} if opset >= 18 else {})}, ["batch", 4], opset)
        build("lstm", [node("Transpose", ["x"], ["t"], perm=[1, 0, 2]), node("LSTM", ["t", "w", "r", "b"], ["o", "h", ""], hidden_size=3), node("Squeeze", ["h", "zero"] if opset >= 13 else ["h"], ["q"], **({} if opset >= 13 else {"axes": [0]})), node("Gemm", ["q", "v", "c"], ["y"], transB=1)], {"w": w(1, 12, 2), "r": w(1, 12, 3), "b": w(1, 24), "v": w(3, 3), "c": w(3), **({"zero": np.array([0], np.int64)} if opset >= 13 else {})}, ["batch", 5, 2], opset)
        build("residual", [node("Conv", ["x", "k"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["r"]), node("Add", ["r", "x"], ["s"]), node("Concat", ["s", "r"], ["o"], axis=1), node("Flatten", ["o"], ["y"])], {"k": w(2, 2, 3, 3)}, ["batch", 2, 4, 4], opset)
        build("argmax", [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node("ArgMax", ["h"], ["i"], axis=1, keepdims=0), node("Cast", ["i"], ["y"], to=1)], {"w": w(8, 4), "b": w(8)}, ["batch", 4], opset)
        if opset >= 17:
            build("layer_norm", [node("LayerNormalization", ["x", "g", "b"], ["y"], axis=-1)], {"g": w(4), "b": w(4)}, ["batch", 4], opset)
        if opset >= 20:
            build("gelu", [node("Gemm", ["x", "w", "b"], ["h"], transB=1), node("Gelu", ["h"], ["y"])], {"w": w(4, 4), "b": w(4)}, ["batch", 4], opset)


for kind in sys.argv[2:] or ("sklearn", "boosted", "networks"):
    {"sklearn": sklearn_models, "boosted": boosted_models, "networks": networks}[kind]()
print("\n".join(failures))

"""KServe's own model server with one of two models: a scikit-learn forest, or an ONNX file run by onnxruntime."""

import sys

import kserve
import numpy as np
from kserve.utils.utils import get_predict_input, get_predict_response


class Forest(kserve.Model):
    """A scikit-learn forest of 100 trees, which answers as KServe's own scikit-learn server does."""

    def load(self):
        from sklearn.ensemble import RandomForestClassifier

        random = np.random.default_rng(7)
        rows = random.uniform((18, 0, 300), (100, 200_000, 850), (10_000, 3))
        repaid = rows[:, 2] + rows[:, 1] / 1_000 + random.normal(0, 60, len(rows)) > 650
        self.model = RandomForestClassifier(100, max_depth=8, random_state=7).fit(rows, repaid.astype(int))
        self.ready = True

    def predict(self, payload, headers=None):
        return get_predict_response(payload, self.model.predict(get_predict_input(payload)), self.name)


class Graph(kserve.Model):
    """An ONNX file with a matrix as its input X and labels as its output, run by onnxruntime with one thread."""

    def load(self):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(sys.argv[3], options, providers=["CPUExecutionProvider"])
        self.ready = True

    def predict(self, payload, headers=None):
        rows = np.asarray(get_predict_input(payload), dtype=np.float32)
        (labels,) = self.session.run(["label"], {"X": rows})
        return get_predict_response(payload, labels, self.name)


def main():
    kind, port = sys.argv[1], int(sys.argv[2])
    model = {"forest": Forest, "graph": Graph}[kind]("credit-risk")
    model.load()
    sys.argv = sys.argv[:1]
    kserve.ModelServer(http_port=port, enable_grpc=False, workers=1, access_log_format=None).start([model])


main()

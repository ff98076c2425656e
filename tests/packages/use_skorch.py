"""skorch: a classifier with callbacks in scikit-learn's tools, pickled, saved, and a regressor."""

import os
import pickle
import sys

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier, NeuralNetRegressor
from skorch.callbacks import EarlyStopping, EpochScoring, LRScheduler
from torch import nn

torch.manual_seed(0)
X, y = make_classification(200, 20, n_informative=10, random_state=0)
X, y = X.astype(np.float32), y.astype(np.int64)


class Classifier(nn.Module):
    def __init__(self, num_units=10, nonlin=nn.ReLU()):
        super().__init__()
        self.dense0 = nn.Linear(20, num_units)
        self.nonlin = nonlin
        self.dropout = nn.Dropout(0.5)
        self.dense1 = nn.Linear(num_units, num_units)
        self.output = nn.Linear(num_units, 2)
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, X, **kwargs):
        X = self.dropout(self.nonlin(self.dense0(X)))
        return self.softmax(self.output(self.nonlin(self.dense1(X))))


callbacks = [
    EpochScoring("accuracy", name="accuracy"),
    LRScheduler("StepLR", step_size=2),
    EarlyStopping(patience=3),
]
net = NeuralNetClassifier(
    Classifier, max_epochs=4, lr=0.1, iterator_train__shuffle=True, verbose=0, callbacks=callbacks
)
net.fit(X, y)
for row in net.history:
    print(row["epoch"], *(f"{row[k]:.5f}" for k in ("train_loss", "valid_loss", "valid_acc")))
print(net.predict(X[:20]), np.round(net.predict_proba(X[:3]), 4))
pipeline = Pipeline([("scale", StandardScaler()), ("net", net)]).fit(X, y)
print(round(pipeline.score(X, y), 4))
print((pickle.loads(pickle.dumps(net)).predict(X) == net.predict(X)).all())
searched = GridSearchCV(
    NeuralNetClassifier(Classifier, verbose=0, train_split=False, max_epochs=1),
    {"lr": [0.01, 0.1], "module__num_units": [5]},
    cv=2,
    scoring="accuracy",
).fit(X, y)
print(searched.best_params_, round(searched.best_score_, 4))
parameters = os.path.join(sys.argv[1], "parameters.pt")
net.save_params(f_params=parameters)
other = NeuralNetClassifier(Classifier, verbose=0).initialize()
other.load_params(f_params=parameters)
print((other.predict(X) == net.predict(X)).all())
regressor = NeuralNetRegressor(nn.Linear(20, 1), max_epochs=2, verbose=0, lr=0.01)
print(np.round(regressor.fit(X, X[:, :1]).predict(X[:2]), 4))
print(net)

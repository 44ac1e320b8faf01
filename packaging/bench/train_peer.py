# Fits the rows of a CSV file (day, truth, features) with LightGBM as runtime/train does, and prints the seconds spent
# after the imports. usage: train_peer.py ROWS one|all ROUNDS. "one" fits the setting that won; "all" does what a training
# job does with LightGBM: four settings on two folds with early stopping, two folds for control, then the final fit.
import csv, sys, time
import lightgbm as lgb, numpy as np

began = time.perf_counter()
rows, what, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
raw = list(csv.reader(open(rows)))
day = np.array([r[0] for r in raw])
y, x = np.array([float(r[1]) for r in raw]), np.array([[float(v) for v in r[2:]] for r in raw])
base = dict(seed=0, num_threads=1, deterministic=True, force_row_wise=True, verbosity=-1, min_data_in_leaf=20, min_data_per_group=20)
settings = [  # runtime/train/portfolio.go
    dict(objective="regression", num_leaves=5, learning_rate=.05, feature_fraction=.7, lambda_l2=1),
    dict(objective="regression", num_leaves=15, learning_rate=.03, feature_fraction=.8, bagging_fraction=.8, bagging_freq=1, lambda_l2=1),
    dict(objective="regression_l1", num_leaves=7, learning_rate=.05),
    dict(objective="poisson", num_leaves=15, learning_rate=.03, feature_fraction=.8, bagging_fraction=.8, bagging_freq=1),
]

def fit(p, keep, n, valid=None):
    data = lgb.Dataset(x[keep], y[keep], categorical_feature=[x.shape[1] - 1])
    if valid is None:
        return lgb.train({**base, **p}, data, n)
    return lgb.train({**base, **p, "metric": "l1"}, data, n, valid_sets=[lgb.Dataset(x[valid], y[valid], reference=data)],
                     callbacks=[lgb.early_stopping(40, verbose=False)])

everything = np.ones(len(y), bool)
if what == "all":
    days = np.unique(day)[-min(len(np.unique(day)) // 3, 182):]
    folds = np.array_split(days, 4)
    for p in settings:
        for f in folds[:2]:
            fit(p, day < f[0], 600, (day >= f[0]) & (day <= f[-1]))
    for f in folds[2:]:
        fit(settings[3], day < f[0], rounds).predict(x[(day >= f[0]) & (day <= f[-1])])
fit(settings[3], everything, rounds).model_to_string()
print(time.perf_counter() - began)

"""Trains models with the libraries' own Python packages and writes what they answer: python trees.py DIR

For each case DIR/NAME.model, NAME.x (float32 rows), NAME.want (float64 answers), and cases.json. A third of the values lie
on thresholds, some are missing. Needs lightgbm, xgboost, numpy.
"""
import json, sys, warnings
import numpy as np, lightgbm as lgb, xgboost as xgb
warnings.simplefilter("ignore")
out = sys.argv[1]
rng = np.random.default_rng(20261125)
COLS, CATS = 8, [6, 7]
cases = []


def rows(n):
    x = rng.standard_normal((n, COLS)).astype(np.float32)
    x[:, 3] = rng.integers(-4, 5, n)
    x[:, 6], x[:, 7] = rng.integers(0, 4, n), rng.integers(0, 40, n)
    x[rng.random(x.shape) < .06] = np.nan
    return x


def target(x, kind):
    z = np.nan_to_num(x)
    v = z[:, 0] - z[:, 1] * z[:, 2] + 2 * (z[:, 7] % 3 == 0) + z[:, 3] / 2 + rng.standard_normal(len(x)) / 3
    if kind == "two":
        return (v > 0).astype(np.float32)
    if kind == "many":
        return np.clip(np.round(v) + 2, 0, 4)
    return np.exp(np.clip(v / 4, -2, 2)) if kind == "positive" else v * 40


def hard(x, thresholds, cats):
    x = x.copy()
    odd = np.array([0, -0.0, 1e-36, -1e-36, 3e38, -3e38, np.nan, 1e-45], np.float32)
    for j in range(COLS):
        pick = rng.random(len(x))
        if j in cats:
            x[pick < .2, j] = rng.choice([-1, 99, 39, 0, 3], (pick < .2).sum())
            continue
        if len(thresholds.get(j, [])):
            x[pick < .4, j] = rng.choice(thresholds[j], (pick < .4).sum())
        x[pick > .9, j] = rng.choice(odd, (pick > .9).sum())
    return x


def write(name, fmt, model, x, want, task):
    open(f"{out}/{name}.model", "wb").write(model)
    x.astype("<f4").tofile(f"{out}/{name}.x")
    np.asarray(want).astype("<f8").tofile(f"{out}/{name}.want")
    cases.append({"name": name, "format": fmt, "cols": COLS, "classes": int(np.asarray(want).reshape(len(x), -1).shape[1]), "task": task})


def of_xgboost(name, kind, cats=(), **params):
    x = rows(1500)
    types = ["c" if j in cats else "q" for j in range(COLS)]
    if cats:
        x[np.isnan(x[:, 6]), 6] = 1
    d = xgb.DMatrix(x, target(x, kind), feature_types=types if cats else None, enable_categorical=bool(cats), feature_names=[f"f{j}" for j in range(COLS)])
    b = xgb.train(dict(nthread=1, max_depth=5, eta=.3, **params), d, 25)
    th = {}
    for t in b.get_dump(dump_format="json"):
        stack = [json.loads(t)]
        while stack:
            n = stack.pop()
            if "split_condition" in n and not isinstance(n["split_condition"], list):
                th.setdefault(int(n["split"][1:]), []).append(np.float32(n["split_condition"]))
            stack += n.get("children", [])
    test = np.concatenate([x, hard(rows(3000), th, cats)])
    if cats:  # XGBoost refuses a code below zero
        for c in cats:
            test[test[:, c] < 0, c] = 0
    t = xgb.DMatrix(test, feature_types=types if cats else None, enable_categorical=bool(cats), feature_names=[f"f{j}" for j in range(COLS)])
    want = b.predict(t)
    if params["objective"] == "multi:softmax":
        want = b.predict(t, output_margin=True)
        want = np.exp(want - want.max(1, keepdims=True)); want /= want.sum(1, keepdims=True)
    task = "regression"
    if params["objective"] in ("binary:logistic", "reg:logistic"):
        task, want = "binary", np.stack([1 - want.astype(float), want.astype(float)], 1)
    elif params["objective"].startswith("multi"):
        task = "multiclass"
    for fmt in ("json", "ubj"):
        write(f"xgboost-{name}-{fmt}", f"xgboost-{fmt}", bytes(b.save_raw(fmt)), test, want, task)


def of_lightgbm(name, kind, **params):
    x = rows(1500)
    d = lgb.Dataset(x.astype(float), target(x, kind), categorical_feature=CATS, free_raw_data=False)
    b = lgb.train(dict(verbosity=-1, num_threads=1, num_leaves=20, **params), d, 25)
    th = {}
    for t in b.dump_model()["tree_info"]:
        stack = [t["tree_structure"]]
        while stack:
            n = stack.pop()
            if n.get("decision_type") == "<=":
                th.setdefault(n["split_feature"], []).append(np.float32(n["threshold"]))
            stack += [n[k] for k in ("left_child", "right_child") if k in n]
    test = np.concatenate([x, hard(rows(3000), th, CATS)])
    want = b.predict(test.astype(float))
    task = "regression"
    if params["objective"] == "binary":
        task, want = "binary", np.stack([1 - want, want], 1)
    elif params["objective"] == "multiclass":
        task = "multiclass"
    write(f"lightgbm-{name}", "lightgbm", b.model_to_string().encode(), test, want, task)


of_lightgbm("regression", "number", objective="regression")
of_lightgbm("binary", "two", objective="binary")
of_lightgbm("multiclass", "many", objective="multiclass", num_class=5)
of_xgboost("regression", "number", objective="reg:squarederror")
of_xgboost("base", "number", objective="reg:squarederror", base_score=7.5)
of_xgboost("binary", "two", objective="binary:logistic")
of_xgboost("softprob", "many", objective="multi:softprob", num_class=5)
of_xgboost("softmax", "many", objective="multi:softmax", num_class=5)
of_xgboost("poisson", "positive", objective="count:poisson")
of_xgboost("gamma", "positive", objective="reg:gamma")
of_xgboost("dart", "two", objective="binary:logistic", booster="dart", rate_drop=.3)
of_xgboost("forest", "number", objective="reg:squarederror", num_parallel_tree=4, subsample=.7)
of_xgboost("pruned", "number", objective="reg:squarederror", gamma=200, tree_method="exact")
of_xgboost("categories", "number", cats=CATS, objective="reg:squarederror", max_cat_to_onehot=3, tree_method="hist")
json.dump(cases, open(f"{out}/cases.json", "w"))

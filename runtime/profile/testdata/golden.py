"""Writes golden.json: statistics of counts by scipy and numpy, the independent half of effect_test.go.

Run once by hand (needs numpy and scipy); the result is committed.
"""
import json, pathlib
import numpy as np, scipy
from scipy import stats
from scipy.spatial import distance

rng = np.random.default_rng(20210101)


def case(name, ref, cur, edges=None, low=0.0, high=0.0):
    ref, cur = np.asarray(ref), np.asarray(cur)
    p, q = ref / ref.sum(), cur / cur.sum()
    both = (ref + cur) > 0
    pf, qf = np.where(p == 0, 1e-4, p)[both], np.where(q == 0, 1e-4, q)[both]
    chi = stats.chi2_contingency(np.vstack([ref, cur])[:, both], correction=False) if both.sum() > 1 else None
    idx = np.arange(len(ref))
    out = dict(name=name, ref=ref.tolist(), cur=cur.tolist(),
               psi=float(((pf - qf) * np.log(pf / qf)).sum()),
               js=float(distance.jensenshannon(p, q)),
               ks=float(stats.ks_2samp(np.repeat(idx, ref), np.repeat(idx, cur), method="asymp").statistic),
               linf=float(distance.chebyshev(p, q)),
               chi2=float(chi.statistic), dof=int(chi.dof), chi2_p=float(chi.pvalue))
    if edges is not None:
        ends = np.concatenate([[low], edges, [high]])
        pts = (ends[:-1] + ends[1:]) / 2
        out.update(edges=list(map(float, edges)), low=float(low), high=float(high),
                   wasserstein=float(stats.wasserstein_distance(pts, pts, ref, cur)))
    return out


def sample(name, a, b, k=64):
    edges = np.unique(np.quantile(a, np.arange(1, k) / k, method="inverted_cdf"))
    edges = edges[edges < a.max()]
    f = lambda x: np.bincount(np.searchsorted(edges, x, side="left"), minlength=len(edges) + 1)
    c = case(name, f(a), f(b), edges, a.min(), a.max())
    for side, x in (("ref", a), ("cur", b)):
        c[side + "_moments"] = dict(n=len(x), mean=float(x.mean()), sd=float(x.std(ddof=1)), skew=float(stats.skew(x)),
                                    kurtosis=float(stats.kurtosis(x)), min=float(x.min()), max=float(x.max()))
    if len(a) <= 400:
        c["ref_values"], c["cur_values"] = a.tolist(), b.tolist()
    return c


def short(x):
    return np.round(x, 4)


cases = [
    case("two cells", [30, 70], [45, 55]),
    case("same counts", [10, 20, 30], [10, 20, 30]),
    case("a cell empty on one side", [50, 50, 0, 10], [40, 30, 20, 0]),
    case("a cell empty on both sides", [50, 0, 25], [10, 0, 30]),
    case("disjoint", [100, 0], [0, 100]),
    case("far apart and large", [1000000, 10, 500], [900000, 20000, 700]),
    sample("normal, moved by half a standard deviation", short(rng.normal(size=300)), short(rng.normal(0.5, 1, 200))),
    sample("normal, no change, large", short(rng.normal(size=20000)), short(rng.normal(size=5000))),
    sample("heavy tail, wider", short(rng.standard_t(2, 4000)), short(1.5 * rng.standard_t(2, 1000))),
    sample("counts with many ties", rng.poisson(1.2, 400).astype(float), rng.poisson(1.6, 150).astype(float)),
]
share = [dict(ref_hits=56, ref_n=70, cur_hits=48, cur_n=80, **{k: v for k, v in zip(("low", "high"), (-0.3339, -0.0524))})]
# Newcombe 1998, table II, method 10, contrast (a) 56/70 - 48/80 = 0.2 (0.0524, 0.3339), here with the sign turned.
path = pathlib.Path(__file__).with_name("golden.json")
path.write_text(json.dumps(dict(scipy=scipy.__version__, numpy=np.__version__, cases=cases, share=share), indent=None, separators=(",", ":")) + "\n")

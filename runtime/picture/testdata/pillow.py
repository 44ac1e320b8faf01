# Writes pictures and what Pillow and numpy make of them into a folder; prints one case a line as JSON.
import io, json, math, os, sys
import numpy as np
import PIL
from PIL import Image, ImageOps

out = sys.argv[1]
rng = np.random.default_rng(7)
filters = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "area": Image.BOX}
n = 0


def scene(h, w):
    """Smooth shapes, sharp edges and noise."""
    y, x = np.mgrid[0:h, 0:w].astype(float)
    a = np.stack([128 + 100 * np.sin(x / 9) * np.cos(y / 13), 255 * (((x // 8) + (y // 6)) % 2), 255 * x / max(w - 1, 1)], 2)
    return np.clip(a + rng.normal(0, 12, a.shape), 0, 255).astype(np.uint8)


def case(name, data, declaration, want, dtype, tolerance=0.0):
    global n
    n += 1
    with open(os.path.join(out, f"{n}.bin"), "wb") as f:
        f.write(data)
    want = np.ascontiguousarray(want)
    with open(os.path.join(out, f"{n}.raw"), "wb") as f:
        f.write(want.tobytes())
    print(json.dumps({"name": name, "file": f"{n}.bin", "raw": f"{n}.raw", "declaration": declaration, "shape": list(want.shape), "datatype": dtype, "tolerance": tolerance}))


def save(im, kind, **how):
    b = io.BytesIO()
    im.save(b, kind, **how)
    return b.getvalue()


def u8(im):
    a = np.asarray(im)
    return a[None, ..., None] if a.ndim == 2 else a[None]


# resizing is exact, byte for byte; from version 13 on Pillow takes columns first where the height shrinks far more than the width
columns_first = 3.0 if int(PIL.__version__.split(".")[0]) >= 13 else 0.0
for h, w, th, tw in [(480, 640, 224, 224), (37, 53, 224, 100), (64, 64, 64, 64), (100, 7, 9, 90), (301, 200, 300, 199), (5, 3, 1, 1), (1, 1, 8, 8)]:
    im = Image.fromarray(scene(h, w))
    for name, f in filters.items():
        case(f"{name} {h}x{w} to {th}x{tw}", save(im, "PNG"), f"resize={th}x{tw},filter={name},layout=nhwc", u8(im.resize((tw, th), f)), "UINT8", columns_first if (h, w) == (100, 7) else 0.0)

# torchvision's classification transform: shortest side, centre crop, to [0,1], normalise; float32 as numpy computes it
for h, w, side, crop in [(480, 640, 256, 224), (375, 500, 256, 224), (500, 375, 232, 223), (333, 200, 64, 64)]:
    im = Image.fromarray(scene(h, w))
    nw, nh = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
    r = im.resize((nw, nh), Image.BILINEAR)
    top, left = int(round((nh - crop) / 2.0)), int(round((nw - crop) / 2.0))
    a = np.asarray(r.crop((left, top, left + crop, top + crop))).astype(np.float32).transpose(2, 0, 1) / np.float32(255)
    mean, std = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    a = (a - mean[:, None, None]) / std[:, None, None]
    case(f"torchvision {h}x{w}", save(im, "PNG"), f"resize={side},crop={crop},scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225,layout=nchw", a[None], "FP32", 5e-7)
    case(f"bgr {h}x{w}", save(im, "PNG"), f"resize={side},crop={crop},colour=bgr,layout=nhwc", np.asarray(r.crop((left, top, left + crop, top + crop)))[None, :, :, ::-1].astype(np.float32), "FP32")

# letterbox
for h, w in [(480, 640), (641, 480), (30, 90)]:
    im = Image.fromarray(scene(h, w))
    s = min(320 / h, 416 / w)
    nh, nw = round(h * s), round(w * s)
    a = np.full((1, 320, 416, 3), 114, np.uint8)
    top, left = (320 - nh) // 2, (416 - nw) // 2
    a[0, top:top + nh, left:left + nw] = np.asarray(im.resize((nw, nh), Image.BILINEAR))
    case(f"letterbox {h}x{w}", save(im, "PNG"), "resize=letterbox:320x416,pad=114,layout=nhwc", a, "UINT8")

# kinds of PNG
im = Image.fromarray(scene(40, 60))
alpha = Image.fromarray(np.dstack([scene(40, 60), rng.integers(0, 256, (40, 60), dtype=np.uint8)]), "RGBA")
for name, one in {"grey": im.convert("L"), "palette": im.quantize(17), "two colours": im.convert("1"), "alpha": alpha, "grey and alpha": alpha.convert("LA")}.items():
    case(f"PNG, {name}, as rgb", save(one, "PNG"), "layout=nhwc", u8(one.convert("RGB")), "UINT8")
case("PNG, colour as grey", save(im, "PNG"), "layout=nhwc,colour=grey", u8(im.convert("L")), "UINT8")

# EXIF orientation
for o in range(1, 9):
    e = Image.Exif()
    e[0x0112] = o
    case(f"PNG, orientation {o}", save(im, "PNG", exif=e), "layout=nhwc", u8(ImageOps.exif_transpose(Image.open(io.BytesIO(save(im, "PNG", exif=e))))), "UINT8")
    data = save(im, "JPEG", quality=95, subsampling=0, exif=e)
    case(f"JPEG, orientation {o}", data, "layout=nhwc", u8(ImageOps.exif_transpose(Image.open(io.BytesIO(data)))), "UINT8", 3)

# JPEG: what the rounding of the inverse cosine transform leaves
for sub, what in [(0, "4:4:4"), (1, "4:2:2"), (2, "4:2:0"), ("4:1:1", "4:1:1")]:
    for h, w in [(480, 640), (41, 59), (3, 5)]:
        for progressive in [False, True]:
            data = save(Image.fromarray(scene(h, w)), "JPEG", quality=85, subsampling=sub, progressive=progressive)
            case(f"JPEG {what} {h}x{w}{' progressive' if progressive else ''}", data, "layout=nhwc", u8(Image.open(io.BytesIO(data)).convert("RGB")), "UINT8", 4)
data = save(Image.fromarray(scene(50, 70)).convert("L"), "JPEG", quality=85)
case("JPEG grey", data, "layout=nhwc", u8(Image.open(io.BytesIO(data)).convert("RGB")), "UINT8", 1)
data = save(Image.fromarray(scene(480, 640)), "JPEG", quality=90)
case("JPEG resized", data, "resize=256,crop=224,layout=nhwc", u8(Image.open(io.BytesIO(data)).resize((341, 256), Image.BILINEAR).crop((58, 16, 282, 240))), "UINT8", 2)

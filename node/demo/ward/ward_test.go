package ward_test

import (
	"reflect"
	"testing"

	"edgeward/node/demo/ward"
)

func TestTheSameSeedIsTheSameWard(t *testing.T) {
	a, b, c := ward.New(1), ward.New(1), ward.New(2)
	for day := range 40 {
		a.Next(day%7 > 4, 20)
		b.Next(day%7 > 4, 20)
		c.Next(day%7 > 4, 20)
	}
	if !reflect.DeepEqual(a.Patients, b.Patients) || reflect.DeepEqual(a.Patients, c.Patients) {
		t.Error("a seed does not decide")
	}
}

func TestPatientsComeStayAndLeave(t *testing.T) {
	w := ward.New(7)
	gone, days, leftOnWeekends, leftOnWeekdays := 0, 0, 0, 0
	by := map[ward.Condition][2]int{}
	for day := range 700 {
		before := w.Patients
		left := w.Next(day%7 > 4, 20)
		n := 0
		for i, l := range left {
			x := by[before[i].Condition]
			x[0]++
			if l {
				n++
				x[1]++
				days += before[i].Days + 1
			}
			by[before[i].Condition] = x
		}
		if len(w.Patients) != len(before)-n+20 {
			t.Fatalf("day %d: %d patients, %d left, 20 came, %d are there", day, len(before), n, len(w.Patients))
		}
		gone += n
		if day%7 > 4 {
			leftOnWeekends += n
		} else {
			leftOnWeekdays += n
		}
	}
	if mean := float64(days) / float64(gone); mean < 3 || mean > 9 {
		t.Errorf("a stay takes %.1f days", mean)
	}
	if leftOnWeekends*5 >= leftOnWeekdays*2 {
		t.Errorf("%d leave on weekends, %d on other days", leftOnWeekends, leftOnWeekdays)
	}
	share := func(c ward.Condition) float64 { return float64(by[c][1]) / float64(by[c][0]) }
	if !(share(ward.Critical) < share(ward.Guarded) && share(ward.Guarded) < share(ward.Stable)) {
		t.Errorf("of the critical %.2f leave, of the guarded %.2f, of the stable %.2f", share(ward.Critical), share(ward.Guarded), share(ward.Stable))
	}
	for _, p := range w.Patients {
		if p.Oxygen > 100 || p.Oxygen < 70 || p.Heart < 20 || p.Age < 16 {
			t.Errorf("%+v", p)
		}
	}
}

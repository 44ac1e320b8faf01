package edgeward

// maxNearest bounds what is compared of a word from outside.
const maxNearest = 80

// Nearest returns the word that is closest to what somebody wrote, by the number of single characters to change; "" of no
// words. Of two equally close ones it is the first.
func Nearest(word string, words []string) string {
	best, distance := "", 1<<30
	word = word[:min(len(word), maxNearest)]
	for _, w := range words {
		if d := editDistance(word, w[:min(len(w), maxNearest)]); d < distance {
			best, distance = w, d
		}
	}
	return best
}

// editDistance is Levenshtein's, with one row.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

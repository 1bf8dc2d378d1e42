# SPDX-License-Identifier: BSD-2-Clause
# JSON to one line "RECORD PATH=VALUE" per leaf; RECORD counts the values at top level:
#
#	1 heap.allocs=12000
#	1 candidates[0].stack[0].function=main
#
# Strings stand without quotes, their escapes as they are. Exits with 1 for what is no JSON.
function here() {
	if (!depth)
		return ""
	if (kind[depth] == "[")
		return base[depth] "[" number[depth] "]"
	return base[depth] (base[depth] == "" ? "" : ".") key[depth]
}
function leaf(t) {
	if (name_next)
		key[depth] = t
	else
		print record " " here() "=" t
	name_next = 0
}
function mark(c, path) {
	if (c == "{" || c == "[") {
		path = here()
		base[++depth] = path
		kind[depth] = c
		number[depth] = 0
		name_next = c == "{"
	} else if (c == "}" || c == "]") {
		if (!--depth)
			record++
		name_next = 0
	} else if (c == ",") {
		number[depth]++
		name_next = kind[depth] == "{"
	} else if (c != ":") {
		return 0
	}
	return 1
}
BEGIN {
	record = 1
}
{
	# Every other piece is in quotes, unless the quote that ended it was escaped.
	n = split($0, piece, "\"")
	for (i = 1; i <= n; i++) {
		rest = piece[i]
		gsub(/[ \t]+/, "", rest)
		while (rest != "") {
			if (mark(substr(rest, 1, 1))) {
				rest = substr(rest, 2)
				continue
			}
			if (!match(rest, /^[-+.0-9A-Za-z]+/))
				exit bad = 1
			leaf(substr(rest, 1, RLENGTH))
			rest = substr(rest, RLENGTH + 1)
		}
		if (++i > n)
			break
		text = piece[i]
		while (text ~ /(^|[^\\])(\\\\)*\\$/)
			text = text "\"" piece[++i]
		leaf(text)
	}
}

END {
	exit bad || depth
}

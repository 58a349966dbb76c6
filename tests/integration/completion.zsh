#!/usr/bin/zsh -f
# SPDX-License-Identifier: MIT
# What zsh offers at the end of each line, in an interactive shell on a terminal of its own.
# usage: completion.zsh DIR-OF-COMPLETIONS LINE...      prints the candidates, `--` behind each line's

zmodload zsh/zpty
zpty shell zsh -f -i

# The completion widget prints what would be added to the list, between two marks.
setup='
	PS1= PS2= RPS1= TERM=dumb
	unsetopt zle_bracketed_paste prompt_cr prompt_sp 2>/dev/null
	fpath=('${(q)1}' $fpath)
	autoload -Uz compinit && compinit -u -D
	compadd() {
		local -a hits
		if [[ " ${(j: :)@[1,(i)--]} " == *" -[OAD] "* ]]; then
			builtin compadd "$@"
			return
		fi
		builtin compadd -A hits "$@"
		(($#hits)) && print -rl -- $hits
		builtin compadd "$@"
	}
	offer() { print -r -- "<""<<"; _main_complete; print -r -- ">"">>"; }
	zle -C offer list-choices offer
	bindkey "^I" offer
	print "rea""dy"
'
zpty -w shell ${setup//$'\n'$'\t'/$'\n'}
zpty -r -m shell output '*ready*' || exit 1

for line in ${@[2,-1]}; do
	zpty -w -n shell "$line"$'\t'
	zpty -r -m shell output '*>>>*' || exit 1
	print -r -- ${${${output#*<<<}%%>>>*}//$'\r'/} | sed '/^$/d'
	print -- --
	zpty -w -n shell $'\C-U'
done
zpty -d shell

#!/usr/bin/env python3
"""Completion, asked of the shells themselves."""

import json
import subprocess
import unittest

import images
from node import NodeTest

IMAGE = images.image(images.tar(images.file("one", b"1")))


class CompletionTest(NodeTest):
    def setUp(self):
        super().setUp()
        self.node.varve("pull", images.write_layout(IMAGE, self.node.directory / "layout"))
        self.node.varve("tag", json.loads(IMAGE.manifest)["config"]["digest"], "registry.example:5000/team/app:1", "mine")

    def candidates(self, line):
        """What varve itself says may stand at the end of `line`."""
        words = line.split(" ")[1:]
        return [row.split("\t")[0] for row in self.node.varve("__complete", "--", *words).splitlines()]

    def bash(self, line):
        script = f"""source <(varve completion bash); compopt() {{ :; }}
            COMP_LINE={json.dumps(line)} COMP_POINT={len(line)}; _varve; printf '%s\\n' "${{COMPREPLY[@]}}" """
        return self.node.run("bash", "-c", script).stdout.split()

    def fish(self, line):
        done = self.node.run("fish", "--no-config", "-c", f"varve completion fish | source; complete -C {json.dumps(line)}")
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    def zsh(self, line):
        """A shell on a terminal of its own, that is given `line` and a Tab, and shows what it then has."""
        script = f"""zmodload zsh/zpty; export TERM=dumb
            zpty shell 'PS1= zsh -f -i'
            zpty -w shell 'autoload -U compinit; compinit -u -D; source <(varve completion zsh); bindkey "^X" beginning-of-line; unsetopt zle_bracketed_paste 2>/dev/null; PS1="ready> "'
            zpty -r shell seen '*ready> '
            zpty -w -n shell {json.dumps(line)}$'\\t'$'\\x18''print -r -- "<" '$'\\n'
            zpty -r shell seen '*
< *
'
            print -r -- $seen"""
        return self.node.run("zsh", "-f", "-c", script).stdout

    def test_commands_and_what_belongs_to_them(self):
        self.assertEqual(self.candidates("varve imag"), ["images"])
        self.assertIn("prune", self.candidates("varve system "))
        self.assertNotIn("__complete", self.candidates("varve "))

    def test_options_of_the_command_and_their_values(self):
        self.assertIn("--no-trunc", self.candidates("varve images --no"))
        self.assertNotIn("--rm", self.candidates("varve images --"))
        self.assertEqual(self.candidates("varve run --pull "), ["always", "missing", "never"])
        self.assertEqual(self.candidates("varve run --pull=al"), ["--pull=always"])
        self.assertEqual(self.candidates("varve load -i "), [":files"])

    def test_images_where_images_may_stand(self):
        both = ["mine:latest", "registry.example:5000/team/app:1"]
        for line in "varve run --rm ", "varve rmi ", "varve rmi mine ", "varve inspect ", "varve run -e A=b -v /a:/b ":
            self.assertLessEqual(set(both), set(self.candidates(line)), line)
        self.assertEqual(self.candidates("varve run mine ls --he"), [":files"])
        self.assertEqual(self.candidates("varve history mine "), [])

    def test_containers_where_containers_may_stand(self):
        self.node.varve("create", "--name", "web", "mine", "true")
        for line in "varve start ", "varve exec -it ", "varve rm -f ", "varve inspect ":
            self.assertIn("web", self.candidates(line), line)
        self.node.varve("rm", "web")

    def test_nothing_is_started(self):
        self.node.varve("system", "stop")
        self.assertEqual(self.candidates("varve rmi "), [])
        self.assertFalse(self.node.lives("cached"))

    def test_bash_completes_words_with_colons(self):
        self.assertEqual(self.bash("varve imag"), ["images"])
        self.assertEqual(self.bash("varve rmi registry.example:5"), ["5000/team/app:1"])
        self.assertEqual(self.bash("varve run --pull=ne"), ["never"])

    def test_fish_completes(self):
        self.assertEqual(self.fish("varve imag"), ["images"])
        self.assertEqual(self.fish("varve rmi reg"), ["registry.example:5000/team/app:1"])

    def test_zsh_completes(self):
        self.assertIn("varve images", self.zsh("varve imag"))
        self.assertIn("varve rmi registry.example:5000/team/app:1", self.zsh("varve rmi reg").replace("\\", ""))


if __name__ == "__main__":
    unittest.main()

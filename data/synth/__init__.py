"""Evidence made up by the hundred: a number in, a folder of evidence and its truth out, in well under a second.

Nothing here is real, unlike the incidents beside it: `guilty(seed, folder)` and `healthy(seed, folder)` of a module
write what an operator would hand over and return what is true of it, in the words and the layout of the bundled
`truth.json`. The same number gives the same octets. `cases()` is a Hypothesis strategy over both.

Facts that nothing in the folder shows are None there; how it was in fact is told under `in_fact`.
"""

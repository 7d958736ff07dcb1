"""The mistakes in what surrounds a compilation: the folders that are written and read back."""

from bertha_ir.diagnostics import Code


class CH401OutputNotArtifact(Code):
    """an output path that is no artifact folder.

    What: the path given to `-o` or `--check` is a file, or a folder with content that Bertha did not write: no manifest
    of Bertha's, or files that the manifest does not list and that are not built from those it lists.
    Why: `-o` replaces the folder as a whole, and replacing a folder that is not Bertha's would lose its files.
    Example: `bertha compile kv.chunnel -o .`
    Fix: name a folder that does not exist yet, an empty one, or one that an earlier `bertha compile` wrote.
    """


class CH402OutputUnwritable(Code):
    """an output folder that cannot be written.

    What: the system refused to create, fill or replace the output folder; what was there before is unchanged.
    Why: an artifact folder is written whole or not at all.
    Example: `bertha compile kv.chunnel -o /proc/kv`
    Fix: the system's reason is in the message: choose another place, free space, or change permissions.
    """


class CH403PathEscapes(Code):
    """a file of an artifact that would lie outside its folder.

    What: a backend named a file by an absolute path, by `..`, by a name that is also a folder, or with characters that
    not every system takes.
    Why: writing it would touch what is not the artifact's.
    Example: a plug-in backend that derives a file name from a name in the specification without mangling it.
    Fix: report it to the backend's author; renaming the stack or device in the specification may help until then.
    """


class CH404ArtifactMalformed(Code):
    """an artifact's file that is not what it is called.

    What: a file of an artifact folder that the rest is checked by, such as `plan.json` or one in `ir/`, is missing,
    ends too early, or holds what its place is not for.
    Why: nothing that rests on such a file can be checked, and guessing what it said would prove nothing.
    Example: `truncate -s 100 kv/ir/programs.ir; bertha verify kv`
    Fix: compile the artifact again, or fetch it again from where it came.
    """

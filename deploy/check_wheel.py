"""Builds the wheel, installs it alone in an environment of its own, and starts it there, away from the clone."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bootstrap import ROOT, find_uv, uv_environment


def main() -> int:
    environment = uv_environment()
    uv = str(find_uv(environment))
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        names, python = at / "requirements.txt", at / "venv" / "bin" / "python"
        for command in (
            [uv, "build", "--quiet", "--wheel", "--out-dir", str(at / "dist"), str(ROOT)],
            [uv, "venv", "--quiet", str(at / "venv")],
            [
                uv,
                "export",
                "--quiet",
                "--frozen",
                "--no-default-groups",
                "--no-emit-project",
                "--output-file",
                str(names),
            ],
            [uv, "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "--requirement", str(names)],
        ):
            subprocess.run(command, cwd=ROOT, env={**environment, "UV_PYTHON": sys.executable}, check=True)
        (wheel,) = (at / "dist").glob("*.whl")
        alone = [uv, "pip", "install", "--quiet", "--python", str(python), "--no-deps", str(wheel)]
        subprocess.run(alone, cwd=at, env=environment, check=True)
        partitur = str(at / "venv" / "bin" / "partitur")
        here = {"PATH": os.defpath, "HOME": folder, "PARTITUR_HOME": str(at / "home"), "LANG": "C.UTF-8"}
        for arguments in (
            ["--help"],
            ["list"],
            ["run", "summary", "Die Stadt hat ein Bad. Das Bad ist neu. Es hat lange offen."],
        ):
            done = subprocess.run([partitur, *arguments], cwd=at, env=here, capture_output=True, text=True, check=False)
            print(f"$ partitur {' '.join(arguments)}\n{done.stdout}{done.stderr}")
            if done.returncode:
                return 1
        opened = "import asyncio, pathlib; from server.state import Database; asyncio.run(Database(pathlib.Path('home')).open())"
        if subprocess.run([python, "-P", "-c", opened], cwd=at, env=here, check=False).returncode:
            print("The database cannot be made. Expected the migrations in the wheel.")
            return 1
        if not (at / "home" / "prompts" / ".git").is_dir():
            print("The first start made no repository of prompts. Expected one under PARTITUR_HOME.")
            return 1
        print(f"{wheel.name} works alone.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

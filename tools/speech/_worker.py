"""Speaks with espeak-ng in a process of its own: run as a file, never imported, so that its library stays out of ours.

One JSON object comes in on stdin: `library`, `data`, `voice`, `rate` (words a minute), `paragraphs`, `task` ('audio' or
'phonemes'). Out goes, on stdout, for audio: the sample rate as one little-endian 32-bit number, then for each paragraph
its length in bytes likewise and that many bytes of 16-bit mono PCM; for phonemes: a JSON list of IPA strings.
Exit code 3: no such voice; 4: the library does not start; each with one line on stderr.
"""

import ctypes
import json
import struct
import sys

SYNCHRONOUS = 2
DONT_EXIT = 0x8000
RATE = 1
POSITION_CHARACTER = 1
UTF8 = 1
IPA = 0x02
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


def fail(code: int, message: str) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)


def main() -> None:
    request = json.load(sys.stdin)
    lib = ctypes.CDLL(request["library"])
    lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
    sample_rate = lib.espeak_Initialize(SYNCHRONOUS, 0, request["data"].encode(), DONT_EXIT)
    if sample_rate <= 0:
        fail(4, f"espeak-ng does not start with the data folder {request['data']!r}")
    if lib.espeak_SetVoiceByName(request["voice"].encode()) != 0:
        fail(3, f"espeak-ng has no voice {request['voice']!r}")
    lib.espeak_SetParameter(RATE, request["rate"], 0)
    if request["task"] == "phonemes":
        json.dump([phonemes(lib, paragraph) for paragraph in request["paragraphs"]], sys.stdout)
        return
    out = sys.stdout.buffer
    out.write(struct.pack("<I", sample_rate))
    for paragraph in request["paragraphs"]:
        pcm = speak(lib, paragraph)
        out.write(struct.pack("<I", len(pcm)))
        out.write(pcm)
        out.flush()


def speak(lib: ctypes.CDLL, text: str) -> bytes:
    """16-bit mono PCM of one paragraph."""
    pieces: list[bytes] = []

    def keep(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, count * 2))
        return 0

    callback = CALLBACK(keep)
    lib.espeak_SetSynthCallback(callback)
    raw = text.encode() + b"\0"
    code = lib.espeak_Synth(raw, ctypes.c_size_t(len(raw)), 0, POSITION_CHARACTER, 0, UTF8, None, None)
    if code != 0:
        fail(4, f"espeak-ng gave up with code {code}")
    lib.espeak_Synchronize()
    return b"".join(pieces)


def phonemes(lib: ctypes.CDLL, text: str) -> str:
    """The text as IPA, one line a clause."""
    raw = ctypes.c_char_p(text.encode())
    rest = ctypes.c_void_p(ctypes.cast(raw, ctypes.c_void_p).value)
    clauses: list[str] = []
    while rest.value:
        said = lib.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, IPA)
        clauses.append((said or b"").decode().strip())
    return "\n".join(clause for clause in clauses if clause)


if __name__ == "__main__":
    main()

"""The conformance kit and the golden cases.

Looser: n8n lists hosts without ports. Stricter: a node is loaded or not, whatever its arguments; what may be
read may be written, so a folder to be read only stays shut; nobody is asked; nothing is moved.
"""

from pathlib import Path

from tappass_host.sdk.kit import conformance, golden

TestConformance = conformance("tappass_n8n.provider", "tappass_n8n.reader", looser=10, stricter=159)
TestGolden = golden("tappass_n8n", Path(__file__).parent / "cases")

"""The availability matrix: what each provider holds of each aspect, and how that is known.

Computed on the conformance kit's reference policy `full`, from the claims of what is rendered and from
recordings of proofs on real targets. Nothing in it is written by hand.
"""

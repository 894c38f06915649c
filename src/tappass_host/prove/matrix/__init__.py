"""The availability matrix: what every provider holds of every aspect, how strongly, and how that is known.

    matrix = build(Source(entries=registry.all(), load=registry.get), folders=(SHIPPED,))
    text = page(matrix)

Computed on the conformance kit's reference policy, from the claims of what is rendered today and from
recordings of proofs on real targets. Nothing in it is typed by hand.
"""

"""What a provider's author imports: contract, capabilities, lowering, artifacts, claims, emitters, the kit.

Start with `contract` (five Structs and one function), then `builder` and `lowering`. Pure, apart from `kit`.
"""

from __future__ import annotations

from hf_crosssight.data.dataset_card import MAX_DESCRIPTION, describe, split_front_matter

README = """---
pretty_name: Leaves
license: mit
---

# Leaves

Photos of **leaves** of [12 trees](https://example.org). A ResNet reaches an accuracy of 0.93 here.
It was taken in autumn.

| model | top-1 |
|---|---|
| a | 99 |

## Results and more

Everything is great.

### Deeper

Still left out.

## Collection

```python
load()
```
By <b>hand</b>.
"""


def test_the_front_matter_is_read_and_cut_off():
    facts, body = split_front_matter(README)
    assert facts == {"pretty_name": "Leaves", "license": "mit"}
    assert body.lstrip().startswith("# Leaves")


def test_the_description_is_prose_without_results():
    assert describe(*split_front_matter(README)) == (
        "Leaves. Photos of leaves of 12 trees. It was taken in autumn. By hand ."
    )


def test_broken_or_missing_front_matter_is_no_error():
    assert split_front_matter("---\na: [1\n---\ntext") == ({}, "text")
    assert split_front_matter("no front matter") == ({}, "no front matter")
    assert describe({}, "") == ""


def test_long_cards_are_cut():
    assert len(describe({}, "many words " * 1000)) == MAX_DESCRIPTION

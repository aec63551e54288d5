"""The words a model card is reduced to: pre-training data, training recipes and architecture families.

The view's words for data (`data_in`) put like with like: a merged set of 38 million images has the flag of
ImageNet-22k, every kind of pet photographs the flag `pets`. What is stated of a model (`stated_in`) keeps the
data set's own name.

Each list is an ordered table of (canonical word, pattern). Patterns are matched against text that `plain` has brought
into one form (lower case, every run of other characters one `_`, a `_` at both ends), so that `in21k`, `ImageNet-21k`
and `imagenet_21k` are one thing whether they stand in an id, a timm tag, a list of data sets or a sentence.
"""

from __future__ import annotations

import re

_DATA = (
    (
        "imagenet-1k",
        r"_(in1k|imagenet_1k|imagenet1k|ilsvrc\w*|imagenet_2012|(?<=_22k_)1k)_|"
        r"_(mae|fcmae|dino)_|(?<!tiny)_imagenet_(?!2|12k|1k|a_|r_)",
    ),
    ("imagenet-12k", r"_(in12k|imagenet_12k)_"),
    ("imagenet-22k", r"_(in2[12]k|inw2[12]k|imagenet_?2[12]k|(pt|ft)?22k|21k|m38m|m30m|merged_?3[08]m|imagenet_22k)_"),
    ("laion", r"_(laion_?\w*|laionb|laiona)_"),
    ("wit", r"_(openai|wit_?400m|wit|clip_vit_(base|large)_patch\d+)_"),
    ("cc12m", r"_cc12m_"),
    ("bamboo", r"_bamboo_"),
    ("datacomp", r"_(datacomp\w*|dfndr\w*|dfn_?[25]b|dfn)_"),
    ("metaclip", r"_metaclip\w*_"),
    ("webli", r"_(webli|siglip2?|so400m)_"),
    ("ig-1b", r"_(ig1b|ig_1b|instagram|ig_?3_6b|swag|wsl|swsl|seer)_"),
    ("yfcc-100m", r"_(yfcc\w*|ssl)_"),
    ("lvd-142m", r"_(lvd142m|lvd_142m|dinov2)_"),
    ("lvd-1689m", r"_(lvd1689m|lvd_1689m|dinov3)_"),
    ("satellite", r"_(sat493m|sat_493m|eurosat|resisc\d*|satellite\w*)_"),
    ("jft-300m", r"_(jft\w*)_"),
    ("merged-2b", r"_(merged2b|merged_2b)_"),
    ("segment-anything-1b", r"_(sa1b|sa_1b)_"),
    ("cifar10", r"_(cifar_?10)_"),
    ("cifar100", r"_(cifar_?100)_"),
    ("mnist", r"(?<!fashion)_mnist_"),
    ("emnist", r"_emnist\w*_"),
    ("fashion-mnist", r"_(fashion_?mnist)_"),
    ("svhn", r"_(svhn|street_digits)_"),
    ("places", r"_(places\d*)_"),
    ("inaturalist", r"_(inat\w*|inaturalist\w*)_"),
    ("food101", r"_(food_?101)_"),
    ("faces", r"_(fer_?2013|fer|vggface\d*|utkface|imdb|fairface|celeba|age_prediction|facemask|mask)_"),
    ("flowers", r"_(\w*flowers?\w*)_"),
    ("pets", r"_(pets?|oxford_pets?\w*|cats_vs_dogs|catsdogs|dogs|cats|stanford_dogs)_"),
    ("cars", r"_(stanford_?cars\w*|compcars|cars)_"),
    ("plants", r"_(beans|plant_?\w*|tomato\w*|leaf|leaves|crop\w*)_"),
    ("medical", r"_(\w*medmnist|chest\w*|x_?ray\w*|pathmnist|dermamnist|ham10000|bloodmnist|medical)_"),
    ("textures", r"_(dtd\w*|textures?)_"),
    ("scenes", r"_(sun397|intel_scenes|scenes?)_"),
    ("sketches", r"_(sketch\w*|quickdraw|cartoon|art_painting|paintings?)_"),
    ("documents", r"_(rvl_?cdip|documents?|manuscripts?)_"),
    ("visual-wake-words", r"_(vww|visual_wake_words)_"),
    ("coco", r"_(coco\w*)_"),
    ("objects365", r"_(o365|objects365)_"),
)

_RECIPES = (
    (
        "self-supervised",
        r"_(dino\w*|mae|mim|fcmae|simmim|swav|moco\w*|simclr\w*|byol|seer|ijepa|barlow\w*|"
        r"self_supervised|lvd142m|lvd1689m|sat493m|aim\w*|hiera_mae|unsupervised)_",
    ),
    ("masked-image-modelling", r"_(mim|mae|fcmae|simmim|beit\w*|eva\w*|masked)_"),
    (
        "language-image-contrastive",
        r"_(clip\w*|openai|laion\w*|siglip\w*|webli|dfn\w*|datacomp\w*|metaclip\w*|"
        r"mobileclip\w*)_",
    ),
    ("distilled", r"_(dist|distilled|distillation|usi|ssld|snap|dino_distilled|student)_"),
    ("weakly-supervised", r"_(swsl|wsl|swag|jft\w*|ig1b|weakly)_"),
    ("semi-supervised", r"_(swsl|ssl|ssld|semi|semi_supervised|pseudo\w*)_"),
    ("noisy-student", r"_(ns|noisy_?student)_"),
    ("adversarial", r"_(adv|ap|adversarial\w*|robust\w*|pgd|certified|ibp|crown)_"),
    (
        "strong-augmentation",
        r"_(augreg\w*|ra\d*|aa|a1|a1h|a2|a3|b1k|b2k|c1|c2|c3|d|bt|ah|randaugment|mixup|cutmix|"
        r"augmix|am)_",
    ),
    ("sharpness-aware", r"_sam_"),
    ("fine-tuned", r"_(ft\d*\w?|fine_?tuned?|finetuned?|ft22k|lc|lp)_"),
    ("linear-probe", r"_(lc|lp|linear_probe)_"),
    ("high-resolution", r"_(r?384|r?448|r?512|r?560|r?475|r?456|r?528|r?600|r?800|r?1024|res512|res384)_"),
    ("quantised", r"_(quant\w*|int8|qat|ptq|w8a8|gptq|awq|8_?bit|uint8)_"),
    ("tensorflow-port", r"_tf_"),
    ("torchvision-recipe", r"_(tv\d?|torchvision)_"),
)

_FAMILIES = (
    ("efficientnetv2", r"efficientnet_?v2"),
    ("efficientnet", r"efficientnet|_eff_|fbnet|spnasnet"),
    ("mobilenetv4", r"mobilenet_?v4"),
    ("mobilenetv3", r"mobilenet_?v3|lcnet|hardcorenas"),
    ("mobilenetv2", r"mobilenet_?v2|mnasnet|semnasnet|tinynet"),
    ("mobilenetv1", r"mobilenet"),
    ("mobilevit", r"mobile_?vit|mobileone|edgenext|fastvit|repvit|repghost|shvit|starnet|swiftformer"),
    ("efficientformer", r"efficient_?former|efficient_?vit|efficientvim|levit|tiny_?vit"),
    ("ghostnet", r"ghostnet"),
    ("convnextv2", r"convnext_?v2"),
    ("convnext", r"convnext|inception_?next"),
    ("swinv2", r"swin_?v2"),
    ("swin", r"swin"),
    ("beit", r"beit|data2vec"),
    ("eva", r"eva(02)?_"),
    ("deit", r"deit"),
    ("cait", r"cait|xcit"),
    ("coat", r"coat|convit|crossvit|visformer|convmixer|pit_|sequencer|tnt|nest_|twins|gcvit|mvit|volo|davit|nextvit"),
    ("maxvit", r"maxx?vit|coatnet"),
    ("hiera", r"hiera"),
    ("pvt", r"pvt|cvt|segformer|focalnet|van_|mambaout|rdnet|csatv2|vovnet"),
    ("metaformer", r"caformer|convformer|poolformer|metaformer"),
    ("mlp", r"mixer|resmlp|gmlp|mlp(?!erf)"),
    ("vit", r"vit|aimv2|dino|siglip|clip|ijepa|flexivit|sam_|samvit|naflex|pe_core|pe_spatial|transformer"),
    ("regnet", r"regnet"),
    ("resnest", r"resnest"),
    ("rexnet", r"rexnet"),
    (
        "seresnet",
        r"se_?resne|skresne|ecaresne|legacy_se|senet|cspresne|gcresne|tresnet|bat_res|botnet|"
        r"halonet|lambda_res",
    ),
    ("resnetv2", r"resnet_?v2|_bit_"),
    ("nfnet", r"nfnet|nf_res|nf_reg"),
    ("resnext", r"resnext"),
    ("resnet", r"resnet|sehalonet|darknet|eca_|haloregnet|dpn|dla|selecsls|hrnet|res2ne|hgnet"),
    ("densenet", r"densenet|vovnet"),
    ("vgg", r"vgg|alexnet"),
    ("repvgg", r"repvgg"),
    ("inception", r"inception|googlenet|xception|nasnet|pnasnet"),
    ("squeezenet", r"squeezenet|shufflenet"),
    ("cnn", r"cnn|conv|lenet|_net_?\d|vanilla|tutorial"),
)

# Names stated in place of the view's word, by what was matched for it; each has that word in the view (`view_words`).
_NAMES = (
    ("merged-38m", r"m38m|merged_?38m"),
    ("merged-30m", r"m30m|merged_?30m"),
    ("dfn-2b", r"dfn_?2b"),
    ("dfn-5b", r"dfn_?5b"),
    ("dfndr-2b", r"dfndr_?2b"),
    ("dfn", r"dfn"),
    ("ig-3.6b", r"ig_?3_6b|swag"),
    ("yfcc-15m", r"yfcc_?15m"),
    ("sat-493m", r"sat_?493m"),
    ("eurosat", r"eurosat"),
    ("resisc45", r"resisc(45)?"),
    ("fer2013", r"fer_?2013"),
    ("vggface", r"vggface\d*"),
    ("utkface", r"utkface"),
    ("fairface", r"fairface"),
    ("celeba", r"celeba"),
    ("oxford-flowers", r"oxford_?flowers_?(102)?"),
    ("oxford-pets", r"oxford_pets?|oxford_iiit_pets?"),
    ("cats-vs-dogs", r"cats_vs_dogs|catsdogs"),
    ("stanford-dogs", r"stanford_dogs"),
    ("stanford-cars", r"stanford_?cars"),
    ("compcars", r"compcars"),
    ("beans", r"beans"),
    ("plant-village", r"plant_?village"),
    ("medmnist", r"medmnist"),
    ("pathmnist", r"pathmnist"),
    ("dermamnist", r"dermamnist"),
    ("bloodmnist", r"bloodmnist"),
    ("ham10000", r"ham10000"),
    ("dtd", r"dtd"),
    ("sun397", r"sun397"),
    ("intel-scenes", r"intel_scenes"),
    ("quickdraw", r"quickdraw"),
    ("rvl-cdip", r"rvl_?cdip"),
)
_DESCRIBED = {  # words of the view that are no data set's name, as they are stated where no name is known
    "satellite": "satellite images",
    "faces": "face images",
    "flowers": "flower images",
    "pets": "pet images",
    "cars": "car images",
    "plants": "plant images",
    "medical": "medical images",
    "textures": "texture images",
    "scenes": "scene images",
    "sketches": "sketches and paintings",
    "documents": "document images",
}
DESCRIPTIONS = frozenset(_DESCRIBED.values())

DATA_WORDS = tuple(word for word, _ in _DATA)
GENERAL_DATA = frozenset(DATA_WORDS[: DATA_WORDS.index("cifar10")])  # large sets that later training starts from
RECIPE_WORDS = tuple(word for word, _ in _RECIPES)
FAMILY_WORDS = tuple(word for word, _ in _FAMILIES)

_DATA_PATTERNS = [(word, re.compile(pattern)) for word, pattern in _DATA]
_NAME_PATTERNS = [(word, re.compile(rf"(?:^|_)(?:{pattern})(?:_|$)")) for word, pattern in _NAMES]
_FLAG_OF = {said: word for word, said in _DESCRIBED.items()}
_RECIPE_PATTERNS = [(word, re.compile(pattern)) for word, pattern in _RECIPES]
_FAMILY_PATTERNS = [(word, re.compile(pattern)) for word, pattern in _FAMILIES]


def plain(text: str) -> str:
    """Lower case, every run of other characters one underscore, one at both ends: `ImageNet-1k` is `_imagenet_1k_`."""
    return "_" + re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") + "_"


def data_in(text: str) -> tuple[str, ...]:
    """The view's words for the data named in a text, in the order of last mention: what comes last shaped it last."""
    return tuple(word for word, _ in _mentions(text))


def stated_in(text: str) -> tuple[str, ...]:
    """The data named in a text as it is stated: the sets' own names, one for each word of `data_in`, in its order."""
    return tuple(_stated(word, matched) for word, matched in _mentions(text))


def stages_in(tag: str, architecture: str = "") -> tuple[str, ...]:
    """The data of a timm tag, stage by stage; a set that is trained on again after `ft` stands there again.

    The architecture is asked (`vit_small_patch14_dinov2`) where the tag is silent about the first stage.
    """
    first, *later = re.split(r"_ft(?=_)", plain(tag))
    stages = [stated_in(first) or stated_in(architecture), *(stated_in(stage) for stage in later)]
    return tuple(name for stage in stages for name in stage)


def view_words(stated: str) -> tuple[str, ...]:
    """The view's words for one stated name or description; a name that it does not know stays."""
    described = _FLAG_OF.get(stated)
    return (described,) if described else data_in(stated) or (stated,)


def _mentions(text: str) -> list[tuple[str, str]]:
    """(word of the view, what was matched) of the last mention of each, in order."""
    searched, found = plain(text), []
    for word, pattern in _DATA_PATTERNS:
        matches = list(pattern.finditer(searched))
        if matches:
            found.append((matches[-1].start(), word, matches[-1].group()))
    return [(word, matched) for _, word, matched in sorted(found)]


def _stated(word: str, matched: str) -> str:
    """What is stated for a word of the view: the name that was matched, else a description, else the word itself."""
    named = next((name for name, pattern in _NAME_PATTERNS if pattern.search(matched)), None)
    return named if named and word in view_words(named) else _DESCRIBED.get(word, word)


def recipes_in(text: str) -> frozenset[str]:
    """The training recipes that a text (an id, a tag, a sentence) names."""
    searched = plain(text)
    return frozenset(word for word, pattern in _RECIPE_PATTERNS if pattern.search(searched))


def family_of(*names: str | None) -> str | None:
    """The architecture family that the first of these names to name one names."""
    for name in names:
        searched = plain(name or "")
        for word, pattern in _FAMILY_PATTERNS:
            if pattern.search(searched):
                return word
    return None

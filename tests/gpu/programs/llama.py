"""`llama.py FOLDER`: a Llama of 0.3 billion random weights, and numbered words, as transformers saves it."""

import sys
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

folder, words = Path(sys.argv[1]), ["<pad>", "</s>", *(f"w{n}" for n in range(8190))]
made = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<pad>"))
made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
made.post_processor = processors.TemplateProcessing(single="$A")
transformers.PreTrainedTokenizerFast(
    tokenizer_object=made, pad_token="<pad>", eos_token="</s>",
    chat_template="{% for message in messages %}{{ message.content }} {% endfor %}",
).save_pretrained(folder)  # fmt: skip
torch.manual_seed(6)
config = transformers.LlamaConfig(
    vocab_size=len(words), hidden_size=1024, intermediate_size=2816, num_hidden_layers=24, num_attention_heads=16,
    max_position_embeddings=2048, eos_token_id=1, bos_token_id=None, pad_token_id=0,
)  # fmt: skip
transformers.LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)

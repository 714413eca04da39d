//! Text in, text out: a model directory with its tokenizer, chat template, stop ids and sampling defaults.

//! The stage `sft`: next-token prediction on conversations, with a loss on the assistant's turns.

use anyhow::Result;
use fireclay_data::chat::{ChatSource, EncodedChats, chat_validation};
use fireclay_data::examples::Conversation;
use fireclay_model::LoraConfig;
use fireclay_rlhf::{Sft, sft};
use fireclay_train::{Exam, Outcome, StageRun, TrainConfig};
use serde_json::{Value, json};

use super::battery::stage_battery;
use super::examples::{conversations, held_out, report_chats, sample_tasks};
use super::section::{fine_tuning, stage_section};
use super::{Context, LearnsFrom, TrainingStage};
use crate::recipe::{Adapters, ConversationData};

stage_section!(
    /// `[sft]`
    SftSection {
        train: fine_tuning(1e-4, 500, 8),
        /// Low-rank adapters.
        adapters: Adapters,
        /// Conversations.
        data: ConversationData,
    }
);

impl TrainingStage for SftSection {
    fn train(&self) -> &TrainConfig {
        &self.train
    }

    fn learns_from(&self) -> LearnsFrom<'_> {
        LearnsFrom::Conversations(&self.data)
    }

    fn lora(&self) -> Option<&LoraConfig> {
        self.adapters.lora.as_ref()
    }

    fn settings(&self) -> Value {
        json!(self.adapters)
    }

    fn paths(&mut self) -> Vec<&mut String> {
        self.data.data.iter_mut().collect()
    }

    fn run(&self, context: &Context, run: StageRun<'_>) -> Result<Outcome> {
        let (config, stage) = (&self.train, context.stage);
        let decoder = context.decoder(self.adapters.lora.as_ref(), config)?;
        let (train_set, validation_set) = conversations(&self.data, stage)?;
        let encode = |set: &[Conversation]| -> Result<EncodedChats> {
            let chats = EncodedChats::new(set, context.tokenizer, config.context)?;
            report_chats(stage.name(), &chats, config.context);
            Ok(chats)
        };
        let mut source = ChatSource::new(encode(&train_set)?, config.batch, config.seed)?;
        let validate = |set: &[Conversation]| Ok(chat_validation(&encode(set)?, config.batch));
        let validation = held_out(stage.name(), &validation_set, validate);
        let prompts = sample_tasks(&validation_set, context.tokenizer, config.context, stage);
        let battery = stage_battery(context, config)?;
        let battery = battery.as_ref().map(|battery| battery as &dyn Exam<_>);
        let training = Sft { run, source: &mut source, validation: &validation, battery, prompts: &prompts };
        Ok(sft(decoder, training)?)
    }
}

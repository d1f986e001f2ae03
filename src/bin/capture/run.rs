//! The loop: takes a packet from the source, filters it, and hands it to the screen and the file.

use std::io::{self, IsTerminal, Write};

use groundwire::capture::decode::Decoder;
use groundwire::capture::file::Interface;
use groundwire::capture::{Filter, Packet};
use groundwire::cli::{Failure, Out};

use super::plan::Plan;
use super::save::Save;
use super::source::{Next, Source};
use super::view::View;

/// Text is handed to the system in pieces of this size, in bytes.
const PIECE: usize = 64 << 10;

/// A capture being read.
pub struct Run {
    count: u64,
    most: u64,
    /// `-f`, with a decoder of its own: packets that do not match get no number and no connection.
    capture_filter: Option<(Filter, Decoder)>,
    filter: Option<Filter>,
    decoder: Decoder,
    view: View,
    save: Option<Save>,
    text: String,
    out: Out,
    /// Whether each packet's text leaves at once.
    each: bool,
}

impl Run {
    pub fn new(plan: Plan, view: View) -> Result<Self, Failure> {
        let save = plan.save.as_ref();
        let save = save.map(|save| Save::open(save, &plan.from));
        Ok(Self {
            count: 0,
            most: plan.count.unwrap_or(u64::MAX),
            capture_filter: plan
                .capture_filter
                .map(|filter| (filter, Decoder::new(plan.settings.clone()))),
            filter: plan.filter,
            decoder: Decoder::new(plan.settings),
            view,
            save: save.transpose()?,
            text: String::with_capacity(2 * PIECE),
            out: Out::lines(),
            each: plan.each || io::stdout().is_terminal(),
        })
    }

    /// Reads to the end. Packets that were read before an error are shown before it is reported.
    pub fn run(mut self, source: &mut Source) -> Result<(), Failure> {
        if let Some(save) = &mut self.save {
            save.begin(source.interfaces())?;
        }
        self.view.head(&mut self.text);
        let read = self.packets(source);
        if matches!(read, Err(Failure::ClosedPipe)) {
            return read;
        }
        self.view.end(&mut self.text);
        self.flush()?;
        if let Some(save) = &mut self.save {
            save.finish()?;
        }
        self.tell(source);
        read
    }

    fn packets(&mut self, source: &mut Source) -> Result<(), Failure> {
        while self.count < self.most {
            match source.next()? {
                Next::Packet(packet, known) => self.packet(&packet, known)?,
                Next::Idle => self.flush()?,
                Next::End => break,
            }
        }
        Ok(())
    }

    fn packet(&mut self, packet: &Packet<'_>, known: &[Interface]) -> Result<(), Failure> {
        if let Some((filter, decoder)) = &mut self.capture_filter {
            if !filter.matches(&decoder.decode(packet)) {
                return Ok(());
            }
        }
        self.count += 1;
        if self.filter.is_some() || self.view.is_needed() {
            let decoded = self.decoder.decode(packet);
            if self
                .filter
                .as_ref()
                .is_some_and(|filter| !filter.matches(&decoded))
            {
                return Ok(());
            }
            self.view.packet(&decoded, known, &mut self.text);
        }
        if let Some(save) = &mut self.save {
            save.write(packet, known)?;
        }
        if self.each || self.text.len() >= PIECE {
            self.let_out()?;
        }
        Ok(())
    }

    fn let_out(&mut self) -> Result<(), Failure> {
        if !self.text.is_empty() {
            self.out.write_all(self.text.as_bytes())?;
            self.text.clear();
        }
        Ok(())
    }

    /// Flushes the text that was held back, and the file that is written.
    fn flush(&mut self) -> Result<(), Failure> {
        self.let_out()?;
        match &mut self.save {
            Some(save) => save.flush(),
            None => Ok(()),
        }
    }

    /// The counts of a live capture, as tcpdump has them.
    fn tell(&self, source: &mut Source) {
        let Some(counts) = source.counts() else {
            return;
        };
        let plural = |count| if count == 1 { "" } else { "s" };
        let (count, dropped) = (self.count, counts.dropped);
        let text = format!(
            "{count} packet{} captured\n{dropped} packet{} dropped by kernel\n",
            plural(count),
            plural(dropped),
        );
        // If this fails, there is nowhere left to report it.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

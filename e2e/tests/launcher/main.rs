//! `lingate` as a user starts it.

mod demo;
mod run;
mod serve;
mod signals;
mod stream;

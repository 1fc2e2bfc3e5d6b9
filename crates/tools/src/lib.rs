//! Running commands and touching files, safely.

//! Reads a shell command line far enough to say which programs it starts and what they write. Pure; it is a reader, not a sandbox.

/// Deepest nesting of substitutions and wrappers that is followed.
const MAX_DEPTH: usize = 8;

/// One program call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Segment {
    /// Program and arguments, wrappers such as `env` and `timeout` taken off.
    pub words: Vec<Word>,
    /// Files that are written by redirection.
    pub writes: Vec<Word>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Word {
    /// The text with quotes removed.
    pub text: String,
    /// Contains a variable or a substitution: the text is not what the program sees.
    pub dynamic: bool,
}

impl Segment {
    pub fn program(&self) -> &str {
        let text = self.words.first().map(|word| word.text.as_str()).unwrap_or_default();
        text.rsplit('/').next().unwrap_or(text)
    }

    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The call as one line, for rules and for people.
    pub fn line(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    pub fn has_flag(&self, flags: &[&str]) -> bool {
        self.arguments().iter().any(|word| flags.contains(&word.text.as_str()))
    }

    /// Arguments that are no flags.
    pub fn operands(&self) -> impl Iterator<Item = &Word> {
        let mut only_operands = false;
        self.arguments().iter().filter(move |word| {
            if word.text == "--" {
                only_operands = true;
                return false;
            }
            only_operands || !word.text.starts_with('-') || word.text == "-"
        })
    }

    /// The first operand: the sub-command of `git`, `npm` and their kind.
    pub fn verb(&self) -> &str {
        self.operands().next().map(|word| word.text.as_str()).unwrap_or_default()
    }
}

/// Every program a command line may start, in order, with those inside substitutions. `Err`: the line cannot be read.
pub fn segments(command: &str) -> Result<Vec<Segment>, Unreadable> {
    let mut out = Vec::new();
    read(command, 0, &mut out)?;
    Ok(out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the command line cannot be read with certainty")]
pub struct Unreadable;

fn read(command: &str, depth: usize, out: &mut Vec<Segment>) -> Result<(), Unreadable> {
    if depth > MAX_DEPTH {
        return Err(Unreadable);
    }
    let chars: Vec<char> = command.chars().collect();
    let mut lexer = Lexer { chars: &chars, at: 0, nested: Vec::new(), heredocs: Vec::new() };
    let mut segment = Segment::default();
    loop {
        match lexer.next()? {
            Token::End => break,
            Token::Separator => finish(&mut segment, depth, out)?,
            Token::Word(word) => segment.words.push(word),
            Token::Write => match lexer.next()? {
                Token::Word(word) => segment.writes.push(word),
                _ => return Err(Unreadable),
            },
            Token::Read => match lexer.next()? {
                Token::Word(_) => {}
                _ => return Err(Unreadable),
            },
        }
    }
    finish(&mut segment, depth, out)?;
    for nested in std::mem::take(&mut lexer.nested) {
        read(&nested, depth + 1, out)?;
    }
    Ok(())
}

/// Words of the shell's own grammar that may stand before a command.
const KEYWORDS: [&str; 14] =
    ["if", "then", "else", "elif", "fi", "do", "done", "while", "until", "{", "}", "!", "time", "esac"];

fn finish(segment: &mut Segment, depth: usize, out: &mut Vec<Segment>) -> Result<(), Unreadable> {
    let mut segment = std::mem::take(segment);
    while let Some(first) = segment.words.first() {
        let text = first.text.clone();
        let assignment = text.split_once('=').is_some_and(|(name, _)| is_name(name));
        if KEYWORDS.contains(&text.as_str()) || assignment {
            segment.words.remove(0);
            continue;
        }
        if matches!(text.as_str(), "for" | "case" | "select" | "function") {
            // The list of a loop names no program; its body comes after `do`.
            segment.words.clear();
            break;
        }
        if !unwrap(&mut segment.words) {
            break;
        }
    }
    if segment.words.is_empty() && segment.writes.is_empty() {
        return Ok(());
    }
    let program = segment.program().to_owned();
    if matches!(program.as_str(), "bash" | "sh" | "zsh" | "dash" | "ksh") {
        let script = segment
            .words
            .iter()
            .position(|word| word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains('c'));
        if let Some(script) = script.and_then(|at| segment.words.get(at + 1)) {
            if script.dynamic {
                return Err(Unreadable);
            }
            read(&script.text.clone(), depth + 1, out)?;
        }
    }
    if program == "xargs" {
        let mut inner = Segment { words: segment.words[1..].to_vec(), writes: Vec::new() };
        while inner.words.first().is_some_and(|word| word.text.starts_with('-')) {
            let takes_value = matches!(inner.words[0].text.as_str(), "-I" | "-n" | "-P" | "-L" | "-d" | "-s" | "-a");
            inner.words.remove(0);
            if takes_value && !inner.words.is_empty() {
                inner.words.remove(0);
            }
        }
        if !inner.words.is_empty() {
            // What it is given comes from elsewhere.
            inner.words.push(Word { text: "$input".into(), dynamic: true });
            out.push(inner);
        }
    }
    if program == "find"
        && let Some(at) = segment.words.iter().position(|w| matches!(w.text.as_str(), "-exec" | "-execdir" | "-ok"))
    {
        let words = segment.words[at + 1..].iter().take_while(|w| w.text != ";" && w.text != "+").cloned().collect();
        out.push(Segment { words, writes: Vec::new() });
    }
    out.push(segment);
    Ok(())
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// Take off a program that only runs another one.
fn unwrap(words: &mut Vec<Word>) -> bool {
    let Some(first) = words.first() else { return false };
    let name = first.text.rsplit('/').next().unwrap_or_default().to_owned();
    let (value_flags, operands): (&[&str], usize) = match name.as_str() {
        "env" => (&["-u", "-C", "-S"], 0),
        "timeout" => (&["-s", "-k", "--signal", "--kill-after"], 1),
        "nice" => (&["-n"], 0),
        "ionice" => (&["-c", "-n"], 0),
        "stdbuf" => (&["-i", "-o", "-e"], 0),
        "nohup" | "setsid" | "command" | "builtin" | "exec" | "busybox" => (&[], 0),
        _ => return false,
    };
    // `command -v x` only asks.
    if name == "command" && words.get(1).is_some_and(|word| matches!(word.text.as_str(), "-v" | "-V")) {
        return false;
    }
    let mut rest = words.split_off(1);
    while let Some(word) = rest.first() {
        let text = word.text.clone();
        if text.starts_with('-') {
            rest.remove(0);
            if value_flags.contains(&text.as_str()) && !rest.is_empty() {
                rest.remove(0);
            }
        } else if name == "env" && text.contains('=') {
            rest.remove(0);
        } else {
            break;
        }
    }
    rest.drain(..operands.min(rest.len()));
    if rest.is_empty() {
        return false;
    }
    *words = rest;
    true
}

enum Token {
    Word(Word),
    /// A redirection that writes; its file follows.
    Write,
    /// A redirection that reads.
    Read,
    Separator,
    End,
}

struct Lexer<'a> {
    chars: &'a [char],
    at: usize,
    /// Command lines inside substitutions.
    nested: Vec<String>,
    /// Ends of here-documents that begin after this line.
    heredocs: Vec<String>,
}

impl Lexer<'_> {
    fn peek(&self, offset: usize) -> Option<char> {
        self.chars.get(self.at + offset).copied()
    }

    fn next(&mut self) -> Result<Token, Unreadable> {
        while self.peek(0).is_some_and(|c| c == ' ' || c == '\t')
            || (self.peek(0) == Some('\\') && self.peek(1) == Some('\n'))
        {
            self.at += if self.peek(0) == Some('\\') { 2 } else { 1 };
        }
        let Some(c) = self.peek(0) else { return Ok(Token::End) };
        match c {
            '#' => {
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
                self.next()
            }
            '\n' => {
                self.at += 1;
                self.skip_heredocs();
                Ok(Token::Separator)
            }
            ';' | '|' | '(' | ')' => {
                self.at += 1;
                if (c == '|' || c == ';') && self.peek(0).is_some_and(|n| n == c || n == '&') {
                    self.at += 1;
                }
                Ok(Token::Separator)
            }
            '&' => {
                self.at += 1;
                match self.peek(0) {
                    Some('>') => {
                        self.at += 1;
                        if self.peek(0) == Some('>') {
                            self.at += 1;
                        }
                        Ok(Token::Write)
                    }
                    Some('&') => {
                        self.at += 1;
                        Ok(Token::Separator)
                    }
                    _ => Ok(Token::Separator),
                }
            }
            '>' | '<' => self.redirection(),
            _ => self.word(),
        }
    }

    fn redirection(&mut self) -> Result<Token, Unreadable> {
        let c = self.chars[self.at];
        self.at += 1;
        if self.peek(0) == Some('(') {
            // Process substitution.
            self.at += 1;
            let inner = self.balanced()?;
            self.nested.push(inner);
            return Ok(Token::Word(Word { text: "/dev/fd/0".into(), dynamic: false }));
        }
        if c == '<' {
            if self.peek(0) == Some('<') && self.peek(1) != Some('<') {
                self.at += 1;
                let strip = self.peek(0) == Some('-');
                if strip {
                    self.at += 1;
                }
                while self.peek(0).is_some_and(|c| c == ' ') {
                    self.at += 1;
                }
                if let Token::Word(word) = self.word()? {
                    self.heredocs.push(word.text);
                }
                return self.next();
            }
            while self.peek(0).is_some_and(|c| c == '<' || c == '>') {
                self.at += 1;
            }
            if self.peek(0) == Some('&') {
                self.at += 1;
            }
            return Ok(Token::Read);
        }
        while self.peek(0).is_some_and(|c| c == '>' || c == '|') {
            self.at += 1;
        }
        if self.peek(0) == Some('&') {
            self.at += 1;
            // `2>&1` writes to no file; `>&file` does.
            if self.peek(0).is_some_and(|c| c.is_ascii_digit() || c == '-') {
                self.word()?;
                return self.next();
            }
        }
        Ok(Token::Write)
    }

    /// Skip the bodies of here-documents. What they contain is input, not commands.
    fn skip_heredocs(&mut self) {
        for end in std::mem::take(&mut self.heredocs) {
            loop {
                let start = self.at;
                while self.peek(0).is_some_and(|c| c != '\n') {
                    self.at += 1;
                }
                let line: String = self.chars[start..self.at].iter().collect();
                let more = self.peek(0).is_some();
                if more {
                    self.at += 1;
                }
                if line.trim_start_matches('\t') == end || !more {
                    break;
                }
            }
        }
    }

    fn word(&mut self) -> Result<Token, Unreadable> {
        let mut word = Word::default();
        let start = self.at;
        while let Some(c) = self.peek(0) {
            match c {
                ' ' | '\t' | '\n' | ';' | '|' | '&' | '(' | ')' | '<' | '>' => {
                    // A number before a redirection is a file descriptor.
                    let descriptor = matches!(c, '<' | '>')
                        && !word.text.is_empty()
                        && word.text.chars().all(|d| d.is_ascii_digit());
                    if descriptor {
                        return self.redirection();
                    }
                    break;
                }
                '\'' => {
                    self.at += 1;
                    loop {
                        let c = self.peek(0).ok_or(Unreadable)?;
                        self.at += 1;
                        if c == '\'' {
                            break;
                        }
                        word.text.push(c);
                    }
                }
                '"' => self.double_quoted(&mut word)?,
                '\\' => {
                    self.at += 1;
                    if let Some(c) = self.peek(0) {
                        self.at += 1;
                        if c != '\n' {
                            word.text.push(c);
                        }
                    }
                }
                '$' | '`' => self.expansion(&mut word)?,
                c => {
                    self.at += 1;
                    word.text.push(c);
                }
            }
        }
        if self.at == start {
            return Err(Unreadable);
        }
        Ok(Token::Word(word))
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), Unreadable> {
        self.at += 1;
        loop {
            match self.peek(0).ok_or(Unreadable)? {
                '"' => {
                    self.at += 1;
                    return Ok(());
                }
                '\\' => {
                    self.at += 1;
                    let c = self.peek(0).ok_or(Unreadable)?;
                    self.at += 1;
                    if !matches!(c, '"' | '\\' | '$' | '`' | '\n') {
                        word.text.push('\\');
                    }
                    if c != '\n' {
                        word.text.push(c);
                    }
                }
                '$' | '`' => self.expansion(word)?,
                c => {
                    self.at += 1;
                    word.text.push(c);
                }
            }
        }
    }

    fn expansion(&mut self, word: &mut Word) -> Result<(), Unreadable> {
        if self.peek(0) == Some('`') {
            self.at += 1;
            let start = self.at;
            while self.peek(0).ok_or(Unreadable)? != '`' {
                self.at += 1;
            }
            self.nested.push(self.chars[start..self.at].iter().collect());
            self.at += 1;
            word.dynamic = true;
            word.text.push_str("$(…)");
            return Ok(());
        }
        match (self.peek(1), self.peek(2)) {
            (Some('('), Some('(')) => {
                self.at += 2;
                self.balanced()?;
                word.dynamic = true;
                word.text.push_str("$((…))");
            }
            (Some('('), _) => {
                self.at += 2;
                let inner = self.balanced()?;
                self.nested.push(inner);
                word.dynamic = true;
                word.text.push_str("$(…)");
            }
            (Some('{'), _) => {
                let start = self.at;
                while self.peek(0).ok_or(Unreadable)? != '}' {
                    self.at += 1;
                }
                self.at += 1;
                word.dynamic = true;
                word.text.extend(&self.chars[start..self.at]);
            }
            (Some(c), _) if c.is_ascii_alphanumeric() || matches!(c, '_' | '?' | '!' | '@' | '*' | '#' | '$' | '-') => {
                word.dynamic = true;
                word.text.push('$');
                self.at += 1;
                if c.is_ascii_alphabetic() || c == '_' {
                    while let Some(c) = self.peek(0).filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        word.text.push(c);
                        self.at += 1;
                    }
                } else {
                    word.text.push(c);
                    self.at += 1;
                }
            }
            _ => {
                word.text.push('$');
                self.at += 1;
            }
        }
        Ok(())
    }

    /// The text up to the closing parenthesis of one that was just opened.
    fn balanced(&mut self) -> Result<String, Unreadable> {
        let start = self.at;
        let mut depth = 1;
        while depth > 0 {
            match self.peek(0).ok_or(Unreadable)? {
                '(' => depth += 1,
                ')' => depth -= 1,
                '\\' => self.at += 1,
                '\'' => {
                    self.at += 1;
                    while self.peek(0).ok_or(Unreadable)? != '\'' {
                        self.at += 1;
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
        Ok(self.chars[start..self.at - 1].iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(command: &str) -> Vec<String> {
        segments(command).expect("readable").iter().map(Segment::line).collect()
    }

    #[test]
    fn chains_pipes_and_substitutions_are_taken_apart() {
        assert_eq!(lines("cd src && ls -la | grep 'a b'; echo done"), ["cd src", "ls -la", "grep a b", "echo done"]);
        assert_eq!(lines("echo $(rm -rf x) `curl y`"), ["echo $(…) $(…)", "rm -rf x", "curl y"]);
        assert_eq!(lines("if true; then curl x; fi"), ["true", "curl x"]);
        assert_eq!(lines("(cd a; make)"), ["cd a", "make"]);
    }

    #[test]
    fn wrappers_are_taken_off() {
        assert_eq!(lines("FOO=1 env -u X A=b timeout 5 nice -n 3 curl x"), ["curl x"]);
        assert_eq!(lines("bash -lc 'wget y && ls'"), ["wget y", "ls", "bash -lc wget y && ls"]);
        assert_eq!(lines("find . -name '*.o' -exec rm {} \\;"), ["rm {}", "find . -name *.o -exec rm {} ;"]);
        assert_eq!(lines("ls | xargs -n 1 rm"), ["ls", "rm $input", "xargs -n 1 rm"]);
    }

    #[test]
    fn redirections_that_write_are_found() {
        let found = segments("cat <<'E' > /etc/x 2>&1\nrm -rf /\nE\necho a >> b &> c < d").expect("readable");
        let writes: Vec<Vec<&str>> = found.iter().map(|s| s.writes.iter().map(|w| w.text.as_str()).collect()).collect();
        assert_eq!(writes, [vec!["/etc/x"], vec!["b", "c"]]);
        assert_eq!(found[1].line(), "echo a");
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        assert_eq!(segments("echo 'open"), Err(Unreadable));
        assert_eq!(segments("bash -c \"$X\""), Err(Unreadable));
    }
}

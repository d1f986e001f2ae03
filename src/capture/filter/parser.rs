//! The grammar of filters, and the kinds that each comparison needs. Pure.
//!
//! ```text
//! filter  =  [ any ]                                      an empty filter: every packet
//! any     =  all  *( ( "||" / "or" ) all )
//! all     =  test *( ( "&&" / "and" ) test )              binds tighter than "or"
//! test    =  ( "!" / "not" ) test / "(" any ")" / [ "any" / "all" ] operand [ check ]
//! operand =  field [ "&" number ]
//! check   =  operator ( value / field ) / "contains" value / [ "not" ] "in" set
//! set     =  "{" value [ ".." value ] *( "," value [ ".." value ] ) "}"
//! ```
//!
//! A negation applies to the whole comparison after it, as in Wireshark: `!tcp.port == 80` is
//! `!(tcp.port == 80)`. The parser recurses only for parentheses and negations, whose depth is
//! limited, so no text can use up the stack.

use super::error::{FilterError, Problem};
use super::lexer::{Lexer, Placed, Token};
use super::literal::{Literal, integer};
use super::{Check, Filter, Node, Operator, Quantifier, Test};
use crate::capture::field::{Field, Kind};
use crate::cli::nearest;

pub(super) struct Parser<'t> {
    lexer: Lexer<'t>,
    /// The next token.
    next: Placed<'t>,
    depth: usize,
}

/// Reads a whole filter.
pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    let mut lexer = Lexer::new(text);
    if text.len() > Filter::LONGEST {
        return Err(lexer.error(0, Problem::TooLong));
    }
    let next = lexer.next()?;
    let mut parser = Parser {
        lexer,
        next,
        depth: 0,
    };
    if parser.next.token == Token::End {
        return Ok(Node::All(Vec::new()));
    }
    let node = parser.any()?;
    match parser.next.token {
        Token::End => Ok(node),
        Token::Sign("[") => Err(parser.fail(Problem::LeftOut("slices; contains looks into bytes"))),
        Token::Sign("(") => Err(parser.fail(Problem::LeftOut("functions"))),
        _ => Err(parser.fail(Problem::Expected("and, or, or the end"))),
    }
}

impl<'t> Parser<'t> {
    /// An error at the next token.
    fn fail(&self, problem: Problem) -> FilterError {
        self.lexer.error(self.next.from, problem)
    }

    fn advance(&mut self) -> Result<(), FilterError> {
        self.next = self.lexer.next()?;
        Ok(())
    }

    /// Takes the next token if it is one of these.
    fn take(&mut self, tokens: &[Token<'static>]) -> Result<bool, FilterError> {
        let is_one = tokens.contains(&self.next.token);
        if is_one {
            self.advance()?;
        }
        Ok(is_one)
    }

    fn any(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.all()?];
        while self.take(&[Token::Sign("||"), Token::Word("or")])? {
            nodes.push(self.all()?);
        }
        Ok(one_or(nodes, Node::Any))
    }

    fn all(&mut self) -> Result<Node, FilterError> {
        let mut nodes = vec![self.test()?];
        while self.take(&[Token::Sign("&&"), Token::Word("and")])? {
            nodes.push(self.test()?);
        }
        Ok(one_or(nodes, Node::All))
    }

    fn test(&mut self) -> Result<Node, FilterError> {
        if self.depth > Filter::DEEPEST {
            return Err(self.fail(Problem::TooDeep));
        }
        self.depth += 1;
        let node = if self.take(&[Token::Sign("!"), Token::Word("not")])? {
            Node::Not(Box::new(self.test()?))
        } else if self.take(&[Token::Sign("(")])? {
            let node = self.any()?;
            self.require(")", "and, or, or )")?;
            node
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn require(&mut self, sign: &'static str, what: &'static str) -> Result<(), FilterError> {
        if self.take(&[Token::Sign(sign)])? {
            Ok(())
        } else {
            Err(self.fail(Problem::Expected(what)))
        }
    }

    fn comparison(&mut self) -> Result<Node, FilterError> {
        let quantifier = match self.next.token {
            Token::Word("any") => Some(Quantifier::Any),
            Token::Word("all") => Some(Quantifier::All),
            _ => None,
        };
        if quantifier.is_some() {
            self.advance()?;
        }
        let from = self.next.from;
        let field = self.field()?;
        let mask = self.mask(field)?;
        let is_not = self.take(&[Token::Word("not")])?;
        if is_not && self.next.token != Token::Word("in") {
            return Err(self.fail(Problem::Expected("in")));
        }
        let test = self.check(field, from, quantifier)?;
        let node = Node::Test(Test { mask, ..test });
        Ok(if is_not {
            Node::Not(Box::new(node))
        } else {
            node
        })
    }

    fn field(&mut self) -> Result<&'static Field, FilterError> {
        let Token::Word(name) = self.next.token else {
            return Err(self.fail(Problem::Expected("a field or a protocol")));
        };
        match Field::find(name) {
            Some(field) => {
                self.advance()?;
                Ok(field)
            }
            None => {
                let near = nearest(name, Field::all().map(Field::name));
                Err(self.fail(Problem::Field(name.to_string(), near)))
            }
        }
    }

    /// `& 0x12`: only these bits of a number count.
    fn mask(&mut self, field: &Field) -> Result<u64, FilterError> {
        if self.next.token != Token::Sign("&") {
            return Ok(u64::MAX);
        }
        if !matches!(field.kind(), Kind::Unsigned(_) | Kind::Hex(_)) {
            return Err(self.fail(Problem::Comparison(field.kind(), "&")));
        }
        self.advance()?;
        let mask = match self.next.token {
            Token::Word(word) => integer(word),
            _ => None,
        };
        let mask = mask.ok_or_else(|| self.fail(Problem::Expected("a number")))?;
        self.advance()?;
        Ok(mask)
    }

    /// The check for the values of a field, whose name begins at `from`.
    fn check(
        &mut self,
        field: &'static Field,
        from: usize,
        quantifier: Option<Quantifier>,
    ) -> Result<Test, FilterError> {
        let name = match self.next.token {
            Token::Word(word) => word,
            Token::Sign(sign) => sign,
            Token::Quoted(_) | Token::End => "",
        };
        if name == "matches" || name == "~" {
            return Err(self.fail(Problem::LeftOut("matches; there is contains")));
        }
        let Some((name, operator, own)) = operator(name) else {
            return match quantifier {
                Some(_) => Err(self.fail(Problem::Expected("a comparison"))),
                None => Ok(Test::new(field, Quantifier::Any, Check::Present)),
            };
        };
        if !can(field.kind(), operator) {
            let problem = Problem::Comparison(field.kind(), name);
            return Err(self.lexer.error(from, problem));
        }
        if field.kind() == Kind::Protocol && !field.has_bytes() {
            // It would never match, and the user would not learn why.
            let problem = Problem::LeftOut("the bytes of this header; frame has them all");
            return Err(self.lexer.error(from, problem));
        }
        self.advance()?;
        let check = match operator {
            Operator::In => self.set(field.kind())?,
            Operator::Contains => {
                Check::Value(operator, self.literal(field.kind(), Literal::part)?)
            }
            _ => self.right_side(field, operator)?,
        };
        Ok(Test::new(field, quantifier.unwrap_or(own), check))
    }

    /// A field, if there is one with this name; otherwise a value.
    fn right_side(&mut self, left: &Field, operator: Operator) -> Result<Check, FilterError> {
        let right = match self.next.token {
            Token::Word(word) => Field::find(word),
            _ => None,
        };
        let Some(right) = right else {
            return Ok(Check::Value(
                operator,
                self.literal(left.kind(), Literal::read)?,
            ));
        };
        if !left.kind().is_comparable(right.kind()) {
            return Err(self.fail(Problem::Kinds(left.kind(), right.kind())));
        }
        self.advance()?;
        Ok(Check::Field(operator, right))
    }

    fn literal(
        &mut self,
        kind: Kind,
        read: fn(&Token<'_>, Kind) -> Result<Literal, Problem>,
    ) -> Result<Literal, FilterError> {
        let literal = read(&self.next.token, kind).map_err(|problem| self.fail(problem))?;
        self.advance()?;
        Ok(literal)
    }

    fn set(&mut self, kind: Kind) -> Result<Check, FilterError> {
        self.require("{", "{")?;
        let mut ranges = Vec::new();
        loop {
            let low = self.literal(kind, Literal::read)?;
            let high = if self.take(&[Token::Sign("..")])? {
                Some(self.literal(kind, Literal::read)?)
            } else {
                None
            };
            ranges.push((low, high));
            if !self.take(&[Token::Sign(",")])? {
                break;
            }
        }
        self.require("}", ", or }")?;
        Ok(Check::In(ranges))
    }
}

/// The only node alone, or several nodes combined into one.
fn one_or(mut nodes: Vec<Node>, several: fn(Vec<Node>) -> Node) -> Node {
    match nodes.len() {
        1 => nodes.remove(0),
        _ => several(nodes),
    }
}

/// An operator's full name, its meaning, and how many values must pass.
fn operator(name: &str) -> Option<(&'static str, Operator, Quantifier)> {
    use Quantifier::{All, Any};
    Some(match name {
        "==" | "eq" | "any_eq" => ("==", Operator::Equal, Any),
        "!=" | "ne" | "all_ne" => ("!=", Operator::NotEqual, All),
        "===" | "all_eq" => ("===", Operator::Equal, All),
        "!==" | "~=" | "any_ne" => ("!==", Operator::NotEqual, Any),
        ">" | "gt" => (">", Operator::Greater, Any),
        "<" | "lt" => ("<", Operator::Less, Any),
        ">=" | "ge" => (">=", Operator::GreaterOrEqual, Any),
        "<=" | "le" => ("<=", Operator::LessOrEqual, Any),
        "contains" => ("contains", Operator::Contains, Any),
        "in" => ("in", Operator::In, Any),
        _ => return None,
    })
}

/// Whether a field of this kind can be compared in this way.
fn can(kind: Kind, operator: Operator) -> bool {
    match kind {
        Kind::Mark | Kind::Moment => false,
        Kind::Protocol => operator == Operator::Contains,
        Kind::Text | Kind::Bytes | Kind::Ether => true,
        _ => operator != Operator::Contains,
    }
}

//! Scenarios: what their files may say, and the stories that are made of them.

mod mistakes;
mod shape_of_sql;
mod shipped;
mod story_made;

"""The only room that speaks SQL: our two databases (`app`, `log`) and the prediction log."""

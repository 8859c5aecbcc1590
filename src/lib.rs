//! Tells Elevate 3.

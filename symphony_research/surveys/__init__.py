"""Mappings of surveys that ship with the library, and what a mapping must say."""

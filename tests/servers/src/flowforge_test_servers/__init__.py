"""Real database servers for FlowForge's own tests."""
